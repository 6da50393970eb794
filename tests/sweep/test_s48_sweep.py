"""S-48: sweeps in this process: trials, resuming, failures, pruning, objectives, what is left behind."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import runexp
from runexp.api.checking import check
from runexp.api.sweeping import SweepPlace, run_sweep
from runexp.api.trial_specs import SpecChanged
from runexp.api.trials import Unwatched
from runexp.diagnostics import SpecError
from runexp.engine.control import Control

GRID = """
sampler: grid
parameters:
  vars.neighbours: [1, 3, 9]
  nodes.near.with.p: [1, 2]
objective: test.accuracy
"""
RANDOM = """
sampler: random
trials: 4
parameters:
  vars.neighbours: {low: 1, high: 15, integer: true}
  nodes.near.with.p: {low: 1, high: 3}
objective: test.accuracy
"""


class Killed(BaseException):
    """Stands for the end of the process: nothing is told, nothing is written any more."""


class KillAt(Unwatched):
    """Ends the process in the middle of its n-th trial."""

    def __init__(self, n, place="fit"):
        self.left, self.place = n, place

    def receive(self, trial, details=""):
        if trial.status == "running" and trial.place.startswith(self.place):
            self.left -= 1
            if not self.left:
                raise Killed


def outcome(results):
    return [(trial.number, trial.id, dict(trial.changes), trial.values) for trial in results.trials]


def runs_in(results):
    return sorted(path.name for path in (results.folder / "trials").iterdir())


def test_a_sweep_killed_twice_and_begun_again_is_the_one_that_was_never_killed(write, sweep):
    path = write(RANDOM)
    whole = sweep(path, "whole")
    for n in (2, 1):
        with pytest.raises(Killed):
            sweep(path, "broken", KillAt(n))
    begun = []
    watcher = Unwatched()
    watcher.receive = lambda trial, details="": begun.append(trial.number) if trial.status == "completed" else None
    resumed = sweep(path, "broken", watcher)
    assert outcome(resumed) == outcome(whole)
    assert sorted(begun) == [1, 2, 3]  # the first had ended
    assert runs_in(resumed) == runs_in(whole) == sorted(trial.id for trial in whole.trials)
    assert len(whole) == 4


def test_a_grid_runs_each_point_once_and_a_second_time_none(write, sweep):
    path = write(GRID)
    first = sweep(path)
    stamps = {folder: (folder / "summary.json").stat().st_mtime_ns for folder in (first.folder / "trials").iterdir()}
    again = sweep(path)
    assert len(first) == 6
    assert outcome(again) == outcome(first)
    assert {folder: (folder / "summary.json").stat().st_mtime_ns for folder in stamps} == stamps
    best = max(first.trials, key=lambda trial: trial.values)
    assert first.best == first.get_trial(best.number)
    write(GRID.replace("[1, 3, 9]", "[1, 3, 9, 27]"))
    more = sweep(path)
    assert len(more) == 8
    assert {folder: (folder / "summary.json").stat().st_mtime_ns for folder in stamps} == stamps


def test_the_best_spec_runs_alone_and_gives_the_same_number(write, sweep, cli):
    results = sweep(write(GRID))
    best = results.folder / "best.yaml"
    assert not runexp.load(best).spec.vars
    assert cli("run", best, "--run-dir", "alone", "--quiet").exit_code == 0
    summary = json.loads(Path("alone/summary.json").read_text())
    assert summary["metrics"]["test"]["accuracy"] == results.best.values[0]


def test_a_grid_with_a_value_that_makes_a_wrong_spec_is_refused_at_that_value(write, sweep):
    path = write(GRID.replace("[1, 2]", "[1, minus]"))
    with pytest.raises(SpecError) as refused:
        sweep(path)
    (found,) = {(one.code, one.span.file, one.span.line, one.span.column) for one in refused.value.diagnostics}
    assert found[1:] == ("small.yaml", 23, 28)
    assert not Path("runs").exists()


def test_a_trial_that_fails_is_told_where_it_is_written_and_loses_no_other(write, cli):
    write(RANDOM.replace("{low: 1, high: 3}", "[1, minus]"))
    done = cli("sweep", "small.yaml")
    assert done.exit_code == 0
    assert "small.yaml:24:28" in done.stderr
    assert {"completed", "failed"} == {
        trial.status for trial in runexp.open_sweep(next(Path("runs/small").iterdir())).trials
    }
    before = done.stdout.count("completed")
    assert cli("sweep", "small.yaml").stdout.count("completed") == before


@pytest.mark.slow
def test_a_trial_that_fails_while_it_runs_can_be_tried_again(write, sweep):
    path = write(GRID.replace("[1, 3, 9]", "[1, 500]").replace("[1, 2]", "[2]"))
    results = sweep(path)
    statuses = [trial.status for trial in results.trials]
    assert set(statuses) == {"completed", "failed"}
    told = []
    watcher = Unwatched()
    watcher.receive = lambda trial, details="": told.append(trial.number)
    sweep(path, watcher=watcher)
    assert told == []
    again = sweep(path, watcher=watcher, again=True)
    assert set(told) == {trial.number for trial in results.trials if trial.status == "failed"}
    assert [trial.status for trial in again.trials] == statuses


def test_a_signal_ends_the_sweep_and_the_same_command_goes_on(write, sweep):
    path = write(RANDOM)
    control = Control()
    watcher = Unwatched()
    watcher.receive = lambda trial, details="": trial.number == 1 and trial.place and control.interrupt("SIGINT")
    stopped = sweep(path, watcher=watcher, control=control)
    assert stopped.status == "interrupted"
    assert [trial.status for trial in stopped.trials] == ["completed", "interrupted"]
    assert len(sweep(path).completed) == 4


def test_what_varies_under_a_condition_is_left_alone_elsewhere(write, sweep):
    conditional = """
sampler: grid
parameters:
  nodes.near.with.weights: [uniform, distance]
  nodes.near.with.p: {values: [1, 3], when: {nodes.near.with.weights: distance}}
objective: {test.accuracy: max}
"""
    results = sweep(write(conditional))
    weights = "nodes.near.with.weights"
    assert [dict(trial.changes) for trial in results.trials] == [
        {weights: "uniform"},
        {weights: "distance", "nodes.near.with.p": 1},
        {weights: "distance", "nodes.near.with.p": 3},
    ]
    alone = runexp.open_run(results.folder / "trials" / results.trials[0].id)
    assert alone.spec["nodes"]["near"]["with"] == {"n_neighbors": 1, "p": 2, "weights": "uniform"}


@pytest.mark.slow
def test_several_objectives_have_a_front_and_no_best(write, sweep):
    results = sweep(
        write(GRID.replace("objective: test.accuracy", "objective: {test.accuracy: max, test.f1_macro: min}"))
    )
    with pytest.raises(ValueError, match="there are 2"):
        _ = results.best
    assert 1 <= len(results.front) <= 6
    assert not (results.folder / "best.yaml").exists()
    best = max(trial.values[0] for trial in results.trials)
    assert any(trial.values[0] == best for trial in results.front)


@pytest.mark.slow
def test_tpe_goes_on_from_what_it_remembers(write, sweep):
    path = write(RANDOM.replace("sampler: random", "sampler: tpe").replace("trials: 4", "trials: 3"))
    whole = sweep(path, "whole")
    with pytest.raises(Killed):
        sweep(path, "broken", KillAt(2))
    assert outcome(sweep(path, "broken")) == outcome(whole)


def test_bad_trials_are_ended_early_and_known_as_pruned(write, sweep, network):
    pruning = """
sampler: grid
parameters:
  vars.lr: [0.5, 0.4, 0.3, 0.2, 0.1, 0.0001]
objective: train.val_loss
pruner: median
"""
    results = sweep(write(pruning, network, "net.yaml"))
    assert [trial.status for trial in results.trials] == ["completed"] * 5 + ["pruned"]
    assert results.trials[5].values == ()
    assert results.best.number < 5


@pytest.mark.slow
def test_successive_halving_keeps_the_best_quarter_at_each_rung_and_ends_the_others_there(write, sweep, network):
    """S-48: the rungs are the epochs 1 and 4; a trial that is not among the best quarter of those that have come to a
    rung, itself among them, ends there. As long as no trial has completed, none is judged."""
    halving = """
sampler: grid
parameters:
  vars.lr: [0.1, 0.2, 0.0001, 0.3, 0.05, 0.6, 0.4, 0.0002, 0.9]
objective: train.val_loss
pruner: halving
"""
    results = sweep(write(halving, network.replace("epochs: 3", "epochs: 6"), "net.yaml"))
    at_rung: dict[int, list[float]] = {1: [], 4: []}
    n_kept = {1: 0, 4: 0}
    for trial in results.trials:
        curve = epochs_of(results.folder / "trials" / trial.id)
        ends_at = 5
        for rung, values in at_rung.items() if trial.number else ():
            values.append(curve[rung])
            if curve[rung] > sorted(values)[max(len(values) // 4, 1) - 1]:
                ends_at = rung
                break
            n_kept[rung] += 1
        assert sorted(curve) == list(range(ends_at + 1))
        assert trial.status == ("completed" if ends_at == 5 else "pruned")
    assert len(at_rung[1]) == 8
    assert 0 < n_kept[4] <= n_kept[1] < 8


def epochs_of(folder):
    """The validation loss of a trial by the number of its epoch, as far as it came."""
    lines = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    return {line["epoch"]: line["metrics"]["val_loss"] for line in lines if line["event"] == "EpochFinished"}


@pytest.mark.slow
def test_the_mean_over_folds_is_what_a_cross_validated_trial_is_judged_by(write, sweep):
    path = write("trials: 2\nsampler: random\nparameters: {vars.neighbours: [1, 9]}\nobjective: score.accuracy\ncv")
    text = path.read_text().replace("  cv\n", "cv: {folds: 3}\n").replace("    splits: {train: 0.5, test: 0.5}\n", "")
    path.write_text(text.replace("test: {kind: eval, split: test,", "score: {kind: eval, split: val,"))
    results = sweep(path)
    for trial in results.trials:
        summary = json.loads((results.folder / "trials" / trial.id / "summary.json").read_text())
        folds = [fold["metrics"]["score.accuracy"] for fold in summary["cv"]["folds"]]
        assert len(folds) == 3
        assert trial.values[0] == pytest.approx(sum(folds) / 3)


@pytest.mark.slow
def test_a_database_can_be_the_storage_and_its_password_is_written_nowhere(write, sweep, monkeypatch):
    monkeypatch.setenv("STORE", "sqlite:///geheim17.db")
    results = sweep(write(RANDOM.replace("trials: 4", "trials: 1\nstorage: ${secret:STORE}")))
    assert Path("geheim17.db").exists()
    assert not (results.folder / "journal.log").exists()
    for file in results.folder.rglob("*"):
        assert not file.is_file() or b"geheim17" not in file.read_bytes()


def test_a_spec_that_changes_while_its_trials_run_ends_the_sweep(write, cli):
    path = write(GRID)
    text = path.read_text()

    class Editing(Unwatched):
        def receive(self, trial, details=""):
            path.write_text(text.replace("seed: 3", "seed: 4"))

    with pytest.raises(SpecChanged):
        run_sweep(check(path), SweepPlace(Path("runs")), watcher=Editing())


def test_without_optuna_a_sweep_says_how_to_get_it(write, cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    write(GRID)
    done = cli("sweep", "small.yaml")
    assert done.exit_code == 2
    assert "pip install 'runexp[sweep]'" in done.stderr


def test_a_secret_cannot_vary_since_what_varies_is_written_down(write, monkeypatch):
    monkeypatch.setenv("TOKEN", "geheim17")
    found = check(write(GRID.replace("[1, 3, 9]", '[1, "${secret:TOKEN}"]'))).diagnostics
    assert [(one.code, one.span.line) for one in found if one.is_error] == [("wrong-value", 22)]
    assert "geheim17" not in str(found)
