"""Trials and repeats that train at once give what they give one after the other, but for rounding (S-47, S-48)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import runexp
from runexp.diagnostics import SpecError
from runexp.engine.control import Control
from runexp.runtime.stacking.moving import StackedMover

SPEC = """\
runexp: 1
name: net
seed: 3
execution: {{device: cpu, threads: 1}}
data:
  points:
    source: points.csv
    features: {{place: [x, y]}}
    targets: {{side: side}}
    splits: {{train: 0.5, val: 0.5}}
    transforms: [{{on: place, use: standard_scaler}}]
nodes:
  net: {{inputs: points.place, use: mlp, with: {{out_features: 2, hidden: [4], dropout: 0.0}}}}
losses:
  ce: {{node: net, use: cross_entropy, weight: 1.0}}
callbacks:
  validate: {{use: evaluation, split: val}}
  stop: {{use: early_stopping, monitor: val_loss, patience: 2, restore_best: true}}
phases:
  train:
    kind: train
    epochs: 5
    batches: {{size: 8}}
    losses: [ce]
    optimizer: {{use: adamw, with: {{lr: 0.1}}}}
    callbacks: [validate, stop]
  test: {{kind: eval, split: val, losses: [ce], metrics: [accuracy]}}
{rest}
"""
RATES = """
sampler: grid
parameters:
  phases.train.optimizer.with.lr: [0.01, 0.1, 1.0]
  phases.train.optimizer.with.weight_decay: [0.0, 0.3]
  losses.ce.weight: [0.5]
objective: test.loss
"""
LR, DECAY = "phases.train.optimizer.with.lr", "phases.train.optimizer.with.weight_decay"


@pytest.fixture
def net(write):
    """Write the spec with these lines as its sweep, and changes of its text."""

    def written(sweep="", *changes):
        path = write("x: 0", text=SPEC.replace("{rest}", ""), name="net.yaml")
        text = SPEC.format(rest=sweep and "sweep:\n" + "".join(f"  {line}\n" for line in sweep.strip().splitlines()))
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text)
        return path

    return written


def log_of(folder):
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def assert_alike(first, second, rtol=1e-4):
    """Trials with the same ends, numbers, epochs and weights, but for rounding."""
    assert [(one.number, one.changes, one.status) for one in first.trials] == [
        (one.number, one.changes, one.status) for one in second.trials
    ]
    for one, other in zip(first.trials, second.trials, strict=True):
        assert one.metrics.keys() == other.metrics.keys()
        np.testing.assert_allclose([*one.metrics.values()], [*other.metrics.values()], rtol=rtol, atol=1e-6)
        folders = [results.folder / "trials" / one.id for results in (first, second)]
        logs = [[event["event"] for event in log_of(folder)] for folder in folders]
        assert sorted(logs[0]) == sorted(logs[1])
        for file in sorted(folders[0].glob("checkpoints/final/**/*.safetensors")):
            ours, theirs = (load_file(folder / file.relative_to(folders[0])) for folder in folders)
            for name in ours:
                np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-3, atol=1e-5)


OPTIMIZERS = {
    "AdamW": (),
    "Adam": (("use: adamw", "use: adam"),),
    "momentum": (("{use: adamw, with: {lr: 0.1}}", "{use: sgd, with: {lr: 0.1, momentum: 0.9, nesterov: true}}"),),
    "a schedule": (
        ("callbacks: [validate, stop]\n  test", "schedule: {use: cosine}\n    callbacks: [validate]\n  test"),
    ),
    "one by one": (("use: adamw", "use: adamax"),),
    "clipped": (("callbacks: [validate, stop]\n  test", "clip: {norm: 0.5}\n    callbacks: [validate, stop]\n  test"),),
}


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_trials_that_differ_in_numbers_train_at_once_as_one_after_the_other(net, sweep, optimizer):
    path = net(RATES, *OPTIMIZERS[optimizer])
    in_turn = sweep(path, "in_turn")
    path = net(RATES + "execution: vectorized\n", *OPTIMIZERS[optimizer])
    at_once = sweep(path, "at_once")
    assert len(at_once.completed) == 6
    assert_alike(in_turn, at_once)


@pytest.mark.slow
def test_each_trial_stops_where_it_would_alone(net, sweep):
    """Patience runs out in different epochs; the others go on."""
    changes = (("epochs: 5", "epochs: 12"), ("patience: 2", "patience: 1"))
    results = sweep(net(RATES + "execution: vectorized\n", *changes), "at_once")
    n_epochs = {
        sum(event["event"] == "EpochFinished" for event in log_of(results.folder / "trials" / trial.id))
        for trial in results.trials
    }
    assert len(n_epochs) > 1
    assert_alike(sweep(net(RATES, *changes), "in_turn"), results)


@pytest.mark.slow
def test_what_differs_in_more_than_numbers_trains_with_its_like(net, sweep, monkeypatch):
    """Two layer sizes: two groups of two; one trial with rows of its own a batch runs alone."""
    sizes = []
    whole = StackedMover.__init__
    monkeypatch.setattr(
        StackedMover, "__init__", lambda self, parts, held: (sizes.append(len(parts)), whole(self, parts, held))[1]
    )
    varied = """
sampler: grid
parameters:
  nodes.net.with.hidden: [[4], [6]]
  phases.train.optimizer.with.lr: [0.01, 0.1]
objective: test.loss
"""
    results = sweep(net(f"{varied}execution: vectorized\n", ("patience: 2", "patience: 9")), "at_once")
    assert sizes.count(2) == 2
    assert_alike(sweep(net(varied, ("patience: 2", "patience: 9")), "in_turn"), results)


DROPS = ("dropout: 0.0", "dropout: 0.5")
FOLDS = [
    ("sweep:", "cv: {folds: 3, data: {points: {val_size: 0.2}}}\nsweep:"),
    ("split: val, losses", "split: test, losses"),
]
REFUSED = {
    "the spec": ("{seed: [1, 2]}", [DROPS], "drops activations", "  net:"),
    "a value": ("{nodes.net.with.dropout: [0.0, 0.5]}", [], "drops activations", "  net:"),
    "folds": ("{seed: [1, 2]}", FOLDS, "each of them is a cross-validation", "execution: vectorized"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_trained_at_once_is_refused_at_its_line_before_anything_is_written(net, sweep, case):
    parameters, changes, said, line = REFUSED[case]
    text = f"sampler: grid\nparameters: {parameters}\nobjective: test.loss\nexecution: vectorized"
    path = net(text, *changes)
    with pytest.raises(SpecError) as refused:
        sweep(path, "runs")
    (found,) = refused.value.diagnostics
    assert (found.code, said in found.message) == ("not-vectorizable", True)
    assert line in path.read_text().splitlines()[found.span.line - 1]
    assert not Path("runs").exists()


@pytest.mark.slow
def test_a_signal_ends_all_that_train_and_the_same_sweep_goes_on(net, sweep):
    control = Control()

    class Impatient:
        def begin(self, results, n_trials):
            pass

        def receive(self, trial, details=""):
            if trial.place == "train 3/5":
                control.interrupt("SIGINT")

    path = net(RATES + "execution: vectorized\nworkers: 4\n", ("patience: 2", "patience: 9"))
    broken_off = sweep(path, "runs", watcher=Impatient(), control=control)
    assert broken_off.status == "interrupted"
    assert {trial.status for trial in broken_off.trials} == {"interrupted"}
    assert len(broken_off.trials) == 4
    results = sweep(path, "runs")
    assert [trial.status for trial in results.trials] == ["completed"] * 6
    stamps = {file: file.stat().st_mtime_ns for file in results.folder.glob("trials/*/summary.json")}
    assert [trial.values for trial in sweep(path, "runs").trials] == [trial.values for trial in results.trials]
    assert {file: file.stat().st_mtime_ns for file in stamps} == stamps


@pytest.mark.slow
def test_a_trial_that_is_pruned_leaves_the_others(net, sweep):
    """Successive halving among trials that run: those that are behind end early, the others as they would alone."""
    path = net(RATES + "execution: vectorized\npruner: halving\nmonitor: train.val_loss\n", ("epochs: 5", "epochs: 9"))
    results = sweep(path, "runs")
    assert {trial.status for trial in results.trials} == {"completed", "pruned"}
    alone = sweep(net(RATES, ("epochs: 5", "epochs: 9")), "alone")
    for one, other in zip(results.trials, alone.trials, strict=True):
        if one.status == "completed":
            assert one.values == pytest.approx(other.values, rel=1e-4)


def test_repeats_at_once_are_those_one_after_the_other(net, cli):
    path = net()
    found = {}
    for how in ("sequential", "vectorized"):
        done = cli("run", path, "--replicates", 2, "--execution", how, "--runs", how, "--format", "json")
        assert done.exit_code == 0, done.stderr
        found[how] = runexp.open_sweep(json.loads(done.stdout)["folder"])
    assert_alike(found["sequential"], found["vectorized"])


def test_repeats_that_cannot_train_at_once_say_why(net, cli):
    done = cli("run", net("", ("dropout: 0.0", "dropout: 0.5")), "--replicates", 3, "--execution", "vectorized")
    assert done.exit_code == 2
    assert "not-vectorizable" in done.stderr
    assert "--execution processes" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--workers", 2), "`--workers` is for repeats"),
        (("--execution", "processes"), "`--execution` is for repeats"),
        (("--replicates", 2, "--execution", "sequential", "--workers", 2), "leave one of them out"),
    ],
)
def test_options_of_repeats_that_exclude_each_other_are_refused(net, cli, options, said):
    done = cli("run", net(), *options)
    assert (done.exit_code, said in done.stderr) == (2, True)
