"""`runexp report SWEEP`: the trials of a sweep, or repeats, on one page that stands alone (S-48)."""

from __future__ import annotations

import pytest

from report_html.sweeps import TRIALS, one_objective, repeats, two_objectives, write_sweep
from run_store.conftest import call
from run_store.test_report import Page
from runexp.results.trials import SweepResults


@pytest.fixture
def page(tmp_path):
    """The page of results, as a browser would see it."""

    def made(results):
        folder = write_sweep(tmp_path / "runs" / "net" / "sweep-1", results)
        done = call("report", folder)
        assert done.exit_code == 0, done.output
        assert done.output.strip() == str(folder / "report.html")
        return Page((folder / "report.html").read_text())

    return made


def pictures(page):
    return [one["aria-label"] for one in page.all("svg") if one.get("class") == "chart"]


def test_the_best_trial_all_trials_and_the_spec_are_told(page):
    found = page(one_objective())
    for said in ("6 trials: 4 completed, 1 pruned, 1 failed.", "least, trial 2", "Which network is best", "best.yaml"):
        assert said in found.text, said
    rows = [row for kind, row in found.elements if kind == "tr" and row.get("class")]
    assert [row["class"] for row in rows] == ["completed", "completed", "best", "completed", "pruned", "failed"]
    assert "trials/000000000002" in found.text
    assert found.torn == []


def test_the_charts_tell_progress_importance_slices_and_all_at_once_in_words(page):
    told = pictures(page(one_objective()))
    assert any(label.startswith("test.loss of 4 trials") and "from 1 to 0.3" in label for label in told)
    assert any(label.startswith("what explains test.loss: lr 0.75, width 0.25") for label in told)
    assert any(label.startswith("A line for each of 4 trials through lr, width") for label in told)
    slices = [label for label in told if "a point for each of 4 trials" in label]
    assert [label.partition(",")[0] for label in slices] == [
        "test.loss by lr", "test.loss by width", "test.loss by layers[1]",
    ]  # fmt: skip
    assert "Least 0.3 at 0.01, most 1 at 0.0001." in slices[0]


def test_several_objectives_have_a_front_and_no_best(page):
    found = page(two_objectives())
    assert "trials that no other beats in every objective" in found.text
    assert any("The front: trial 2 0.3 and 0.8; trial 3 0.5 and 0.9." in label for label in pictures(found))
    rows = [row.get("class") for kind, row in found.elements if kind == "tr" and row.get("class")]
    assert rows == ["completed", "completed", "best", "best", "pruned", "failed"]


def test_repeats_show_mean_spread_and_interval(page):
    found = page(repeats())
    assert "mean and spread over seeds" in found.text and "3 repeats: 3 completed." in found.text
    assert "0.3516 … 0.8484" in found.text
    assert any("test.accuracy of 3 repeats" in label and "mean 0.6" in label for label in pictures(found))
    assert "best.yaml" not in found.text


def test_what_a_trial_failed_of_cannot_become_part_of_the_page(page):
    found = page(one_objective())
    assert "RuntimeError: </script><b>no</b> (in train)" in found.text
    assert found.all("script") == []


def test_a_sweep_of_which_no_trial_completed_has_a_page_that_says_so(page):
    found = page(SweepResults("net", "failed", one_objective().objectives, one_objective().trials[4:]))
    assert "2 trials: 1 pruned, 1 failed." in found.text
    assert pictures(found) == []


def test_a_single_completed_trial_is_a_page_too(page):
    found = page(SweepResults("net", "running", two_objectives().objectives, TRIALS[:1]))
    assert "1 trial: 1 completed." in found.text and "was still going" in found.text


def test_a_page_of_a_sweep_is_fit_for_keyboards_and_screen_readers(page):
    found = page(one_objective())
    places = {one["id"] for _, one in found.elements if "id" in one}
    links = [one["href"] for one in found.all("a")]
    assert links and all(link.removeprefix("#") in places for link in links)
    regions = [one for _, one in found.elements if one.get("role") == "region"]
    assert regions and all(one.get("aria-label") and one.get("tabindex") == "0" for one in regions)
    assert all(one.get("scope") for one in found.all("th"))


def test_a_sweep_without_trials_is_refused_and_so_is_one_among_several(tmp_path):
    folder = write_sweep(tmp_path / "one", one_objective())
    other = write_sweep(tmp_path / "other", two_objectives())
    several = call("report", folder, other)
    assert several.exit_code == 2 and "has a page of its own" in several.output
    (folder / "sweep.json").unlink()
    empty = call("report", folder)
    assert empty.exit_code == 2 and "has no trial that has ended" in empty.output


def test_an_interactive_page_of_a_sweep_has_its_charts_as_data(tmp_path):
    folder = write_sweep(tmp_path / "one", one_objective())
    assert call("report", folder, "--interactive").exit_code == 0
    page = Page((folder / "report.html").read_text())
    assert len([one for one in page.all("script") if one.get("type") == "application/json"]) == len(pictures(page))
