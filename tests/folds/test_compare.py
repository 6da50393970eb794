"""`runexp compare` of two cross-validations: fold by fold where the folds are the same, else the reason why not."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from folds.tables import ran, spec
from runexp.api.opening import open_run
from runexp.cli.app import app
from runexp.events import FoldStarted, load_event


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same folds with another learning rate; other folds; and the same rows under other names of parts."""
    folder = tmp_path_factory.mktemp("compare")
    path = spec(folder, "{folds: 3}", watched="val")
    ran(path, folder / "first")
    ran(path, folder / "slow", "phases.train.optimizer.with.lr=0.0001")
    ran(path, folder / "seeded", "seed=4")
    ran(path, folder / "more", "cv.folds=4")
    return folder


def compare(runs, *names):
    words = ["compare", *(str(runs / name) for name in names if "-" not in name), *(n for n in names if "-" in n)]
    return CliRunner(env={"COLUMNS": "110"}).invoke(app, words)


def test_two_runs_on_the_same_folds_are_compared_fold_by_fold(runs):
    """S-46: the numbers are those of `CVResults.compare`."""
    shown = compare(runs, "first", "slow").stdout
    found = open_run(runs / "slow").results.cv.compare(open_run(runs / "first").results.cv, "score.accuracy")
    assert found.difference < 0
    (line,) = [line.split() for line in shown.splitlines() if "score.accuracy" in line and " to " in line]
    assert line[1] == f"{found.difference:+.4g}"
    assert line[5] == f"{found.t:.2f}"
    assert "corrected resampled t-test over 3 folds (Nadeau and Bengio 2003)" in shown


def test_as_json_they_have_the_whole_comparison(runs):
    told = json.loads(compare(runs, "first", "slow", "--format=json").stdout)["folds"]
    assert [(each["run"], each["against"], each["reason"]) for each in told] == [("slow", "first", "")]
    assert set(told[0]["numbers"]["score.accuracy"]) == {"n", "difference", "t", "p", "low", "high"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("seeded", "B - A  cannot be compared fold by fold: fold 0 holds out other rows, or of another pool"),
        ("more", "B - A  cannot be compared fold by fold: there are 4 folds in one and 3 in the other"),
    ],
)
def test_other_folds_are_refused_with_the_reason(name, reason, runs):
    assert reason in compare(runs, "first", name).stdout


def test_a_log_of_a_version_that_told_less_of_folds_is_read():
    told = {"event": "FoldStarted", "fold": 0, "group": "fold-0", "name": "", "n_folds": 2, "n_train": 3}
    assert load_event(told | {"n_held_out": 1}) == FoldStarted(0, "fold-0", "", 2, 3, 1)
    with pytest.raises(TypeError):
        load_event(told)
