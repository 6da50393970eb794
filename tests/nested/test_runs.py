"""Nested cross-validation as runs: each fold chooses by itself, and nothing of its held-out rows is in that."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import skops.io
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.svm import SVC

import runexp
from nested.tables import CV, N_ROWS, SWEEP, ran, spec
from runexp.api.checking import check
from runexp.api.resuming import open_run, resume
from runexp.api.running import Place, run
from runexp.engine.control import Control
from runexp.events import FoldFinished, InnerTrialFinished, PhaseFinished, ValuesChosen
from runexp.observe.event_log import read_events
from runexp.report.plan import render_plan
from runexp.report.results import render_results
from runexp.store.records import SUMMARY


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of two folds with two trials in each, and its folder."""
    folder = tmp_path_factory.mktemp("nested")
    return ran(spec(folder), folder / "run"), folder / "run"


def neighbours(checkpoint):
    """What the estimator of a checkpoint was fitted with."""
    (file,) = checkpoint.rglob("*.skops")
    return skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file)).n_neighbors


def events(folder):
    return [stamped.event for stamped in read_events(Path(folder, "events.jsonl"))]


def test_each_fold_trains_with_the_values_that_were_best_inside_of_it(finished):
    """S-45, S-48: and they are the best of its own trials."""
    run, folder = finished
    cv = run.results.cv
    assert [choice.fold for choice in cv.choices] == [0, 1]
    for choice in cv.choices:
        inside = runexp.open_sweep(folder / "inner" / choice.label)
        assert [trial.status for trial in inside.trials] == ["completed", "completed"]
        assert choice.value == max(trial.values[0] for trial in inside.trials)
        assert choice.changes == inside.best.changes
        assert neighbours(folder / "checkpoints" / choice.label / "final") == choice.changes["vars.neighbours"]
        facts = cv.facts[choice.fold]
        trial = runexp.open_run(folder / "inner" / choice.label / "trials" / inside.best.id).results.cv
        assert trial.summary()["score"]["accuracy"] == choice.value
        assert sum(one.n_held_out for one in trial.facts) == facts.n_train


@pytest.mark.slow
def test_its_scores_are_those_of_each_fold_run_alone_with_its_values(finished, tmp_path):
    """S-45."""
    run, folder = finished
    for choice in run.results.cv.choices:
        values = [f"{address}={json.dumps(value)}" for address, value in choice.changes.items()]
        alone = ran(
            folder.parent / "nested.yaml", tmp_path / choice.label, ["cv.inner=null", "sweep=null", *values]
        ).results.cv
        assert alone.table()["score.accuracy"][choice.fold] == run.results.cv.table()["score.accuracy"][choice.fold]


def test_summary_page_and_results_tell_the_choice_how_stable_it_is_and_how_optimistic(finished):
    """S-46: from the folder too, without running anything."""
    run, folder = finished
    cv = runexp.open_run(folder).results.cv
    assert cv.choices == run.results.cv.choices
    outer = cv.numbers("score.accuracy")
    assert cv.optimisms() == {choice.fold: choice.value - outer[choice.fold] for choice in cv.choices}
    told = json.loads((folder / SUMMARY).read_text())["cv"]
    assert [choice["changes"] for choice in told["choices"]] == [choice.changes for choice in cv.choices]
    assert told["optimism"]["mean"] == cv.optimism().mean
    (agreement,) = cv.agreements().values()
    assert told["agreement"]["vars.neighbours"] == {"value": agreement.value, "n": agreement.n, "of": 2}
    page = render_results(run.results, console_width=100, color=False)
    assert "chosen inside of each fold  by score.accuracy" in page
    assert f"neighbours={agreement.value} in {agreement.n} of 2 folds" in page


def test_the_log_has_a_line_for_each_trial_and_each_choice_in_the_order_of_the_folds(finished):
    """S-41."""
    told = [one for one in events(finished[1]) if isinstance(one, (InnerTrialFinished, ValuesChosen, FoldFinished))]
    assert [(type(one).__name__, one.fold) for one in told] == [
        (name, fold)
        for fold in (0, 1)
        for name in ("InnerTrialFinished", "InnerTrialFinished", "ValuesChosen", "FoldFinished")
    ]


def test_the_plan_shows_what_is_chosen_inside(tmp_path):
    """S-48."""
    page = render_plan(check(spec(tmp_path)).linked, console_width=110, color=False)
    assert "inner  2 folds · shuffled by the seed · the sweep chooses the values of each fold by them" in page
    assert "sweep  inside of each fold · every point of a grid" in page


BY_COLUMN = "{folds: 2, data: {t: {column: fold}}, inner: {folds: 2, data: {t: {stratify_by: kind}}}}"


def with_other_rows_in(fold, path):
    """The same table, but that the rows which a fold holds out say something else entirely."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["fold"] == fold:
            row |= {"x0": "1e6", "x1": "-1e6", "kind": "b" if row["kind"] == "a" else "a"}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.slow
def test_a_trial_inside_of_a_fold_never_sees_a_row_that_the_fold_holds_out(tmp_path):
    """S-45: neither its transforms nor its fits nor its scores are touched by what those rows say."""
    left = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        path = spec(tmp_path / name, BY_COLUMN)
        if name == "other":
            with_other_rows_in("0", tmp_path / name / "table.csv")
        ran(path, tmp_path / name / "run", ["sweep=null", "cv.inner.of=0"])
        files = ("predictions/out_of_fold.parquet", "folds.parquet")
        fitted = sorted((tmp_path / name / "run/artifacts").rglob("*.skops"))
        left.append([(tmp_path / name / "run" / file).read_bytes() for file in files] + [len(fitted)])
        left[-1] += [runexp.open_run(tmp_path / name / "run").results.cv.table()]
    assert left[0] == left[1]
    ids = pq.read_table(tmp_path / "one/run/folds.parquet")["row"].to_pylist()
    assert {row // 2 % 2 for row in ids} == {1}


@pytest.mark.slow
def test_what_a_fold_holds_out_changes_nothing_of_what_is_chosen_inside_of_it(tmp_path):
    """S-45: the rows of one fold say something else, and that fold chooses as before, by the same numbers."""
    told = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        path = spec(tmp_path / name, BY_COLUMN)
        if name == "other":
            with_other_rows_in("0", tmp_path / name / "table.csv")
        cv = ran(path, tmp_path / name / "run").results.cv
        kinds = (InnerTrialFinished, ValuesChosen)
        told.append([one for one in events(tmp_path / name / "run") if isinstance(one, kinds)])
        told[-1].append(cv.numbers("score.accuracy"))
    mine, theirs = ([one for one in side[:-1] if one.fold == 0] for side in told)
    assert mine == theirs
    assert told[0][-1][0] != told[1][-1][0]
    assert [one for one in told[0][:-1] if one.fold == 1] != [one for one in told[1][:-1] if one.fold == 1]


class Stopping:
    """A sink that asks the run to stop, or kills it, at the n-th event of a kind."""

    wants = frozenset()

    def __init__(self, kind, n, control):
        self._kind, self._n, self._control = kind, n, control

    def receive(self, stamped):
        self._n -= isinstance(stamped.event, self._kind)
        if not self._n:
            self._control.interrupt("SIGINT")
            self._n = -1

    def close(self):
        pass


def timeless(folder):
    return [one for one in events(folder) if not isinstance(one, PhaseFinished)]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "n"), [(InnerTrialFinished, 3), (ValuesChosen, 2)], ids=["trial", "choice"])
def test_a_run_that_is_stopped_inside_of_a_fold_goes_on_and_repeats_no_trial(finished, tmp_path, kind, n):
    """S-40, S-47: folds that are over and trials that have ended are not run again; all is as if never stopped."""
    path, control = spec(tmp_path), Control()
    stopped = run(
        check(path), Place(at=tmp_path / "run"), watch=lambda live: [Stopping(kind, n, control)], control=control
    )
    assert stopped.status == "interrupted"
    trials = sorted((tmp_path / "run/inner").glob("*/trials/*/summary.json"))
    made = {trial: trial.stat().st_mtime_ns for trial in trials}
    assert made
    (tmp_path / "nested.yaml").unlink()
    whole = resume(open_run(tmp_path / "run"), watch=lambda live: [])
    assert whole.status == "completed"
    assert {trial: trial.stat().st_mtime_ns for trial in made} == made
    assert len(list((tmp_path / "run/inner").glob("*/trials/*"))) == 4
    assert whole.results.cv.choices == finished[0].results.cv.choices
    assert whole.results.cv.table() == finished[0].results.cv.table()
    assert timeless(tmp_path / "run") == timeless(finished[1])


@pytest.mark.slow
def test_folds_in_processes_choose_and_score_as_one_after_the_other(finished, tmp_path):
    """S-47: the events are the same, but for who runs them."""
    run = ran(spec(tmp_path), tmp_path / "run", ["cv.execution=processes", "cv.workers=2", "execution.threads=1"])
    assert run.status == "completed"
    assert timeless(tmp_path / "run")[1:] == timeless(finished[1])[1:]


@pytest.mark.slow
def test_trials_in_processes_give_the_same_choice(finished, tmp_path):
    """S-47."""
    run = ran(spec(tmp_path), tmp_path / "run", ["sweep.execution=processes", "sweep.workers=2"])
    assert run.results.cv.choices == finished[0].results.cv.choices
    assert run.results.cv.table() == finished[0].results.cv.table()


@pytest.mark.slow
def test_a_trial_that_fails_is_told_and_the_rest_of_its_fold_goes_on(tmp_path):
    """S-48: where all of a fold's trials fail, the fold has failed, and the others are not lost."""
    sweep = SWEEP.replace("grid", "random, trials: 2").replace("[1, 9]", "[1, 40]")
    run = ran(spec(tmp_path, sweep=sweep), tmp_path / "run")
    assert run.status == "completed"
    assert [choice.n_failed for choice in run.results.cv.choices] == [1, 1]
    failed = [one for one in events(tmp_path / "run") if isinstance(one, InnerTrialFinished) and one.status == "failed"]
    assert len(failed) == 2
    assert "n_neighbors" in failed[0].error

    none = ran(spec(tmp_path, sweep=sweep.replace("[1, 40]", "[39, 40]")), tmp_path / "none")
    assert none.status == "failed"
    assert [facts.status for facts in none.results.cv.facts] == ["failed", "failed"]
    assert "none of 2 trials completed" in none.results.cv.facts[1].error


@pytest.mark.slow
def test_a_refit_chooses_by_everything_that_is_pooled(tmp_path):
    """S-46: as `GridSearchCV` does, once the folds have told what that is worth."""
    run = ran(spec(tmp_path, CV.replace("folds: 2", "folds: 2, refit: true", 1)), tmp_path / "run")
    choice = run.results.cv.get_choice("refit")
    inside = runexp.open_run(next((tmp_path / "run/inner/refit/trials").iterdir())).results.cv
    assert sum(facts.n_held_out for facts in inside.facts) == N_ROWS
    assert neighbours(tmp_path / "run/checkpoints/final") == choice.changes["vars.neighbours"]


@pytest.mark.slow
def test_replicates_of_a_nested_run_are_nested_and_a_sweep_of_it_is_not(tmp_path):
    """S-48: `run --replicates` repeats all of it; `sweep` chooses by the folds themselves."""
    experiment = runexp.compile(runexp.load(spec(tmp_path)))
    repeated = experiment.replicate(2, run_dir=tmp_path / "repeats")
    assert [trial.status for trial in repeated.trials] == ["completed", "completed"]
    assert len(list((tmp_path / "repeats").glob("trials/*/inner/fold-1/trials/*"))) == 4
    swept = experiment.sweep(run_dir=tmp_path / "swept")
    assert len(swept.completed) == 2
    assert not list((tmp_path / "swept").glob("trials/*/inner"))
    alone = ran(tmp_path / "swept/best.yaml", tmp_path / "alone")
    assert alone.results.cv.summary()["score"]["accuracy"] == swept.best.values[0]


@pytest.mark.slow
def test_nested_scores_and_choices_are_those_of_scikit_learn(tmp_path, root):
    """S-45, S-48: its own example, `GridSearchCV` inside of `cross_validate`, on iris."""
    x, y = load_iris(return_X_y=True)
    folds = KFold(n_splits=4, shuffle=True, random_state=0)
    grid = GridSearchCV(SVC(kernel="rbf"), {"C": [1, 10, 100], "gamma": [0.01, 0.1]}, cv=folds)
    theirs = cross_validate(grid, x, y, cv=folds, return_estimator=True)
    found = ran(root / "specs/nested_iris.yaml", tmp_path / "run").results.cv
    assert list(found.numbers("test.accuracy").values()) == pytest.approx(list(theirs["test_score"]), abs=1e-12)
    for choice, fitted in zip(found.choices, theirs["estimator"], strict=True):
        assert choice.changes == {f"vars.{name}": value for name, value in fitted.best_params_.items()}
        assert choice.value == pytest.approx(fitted.best_score_, abs=1e-12)
