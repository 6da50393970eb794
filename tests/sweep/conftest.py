"""Sweeps of a classifier that is fitted in a moment, from a table of its own."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runexp.api.checking import check
from runexp.api.sweeping import SweepPlace, run_sweep
from runexp.api.trials import Unwatched
from runexp.cli.app import app
from runexp.engine.control import Control

SPEC = """\
runexp: 1
name: small
seed: 3
vars: {{neighbours: 1}}
data:
  points:
    source: points.csv
    features: {{place: [x, y]}}
    targets: {{side: side}}
    splits: {{train: 0.5, test: 0.5}}
nodes:
  near:
    inputs: points.place
    use: sklearn.neighbors.KNeighborsClassifier
    with: {{n_neighbors: "${{vars.neighbours}}", p: 2}}
phases:
  fit: {{kind: fit, nodes: [near]}}
  test: {{kind: eval, split: test, metrics: [accuracy, f1_macro]}}
sweep:
{sweep}
"""

NETWORK = """\
runexp: 1
name: net
seed: 3
vars: {{lr: 0.1}}
data:
  points:
    source: points.csv
    features: {{place: [x, y]}}
    targets: {{side: side}}
    splits: {{train: 0.5, val: 0.5}}
nodes:
  line: {{inputs: points.place, use: torch.nn.Linear, with: {{out_features: 2}}}}
losses:
  ce: {{node: line, use: cross_entropy}}
callbacks:
  validate: {{use: evaluation, split: val}}
phases:
  train:
    kind: train
    epochs: 3
    batches: {{size: 20}}
    losses: [ce]
    optimizer: {{use: sgd, with: {{lr: "${{vars.lr}}"}}}}
    callbacks: [validate]
sweep:
{sweep}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a spec with these lines as its sweep, beside its table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNEXP_RUNS", str(tmp_path / "runs"))
    chance = random.Random(1)
    rows = [(chance.random(), chance.random()) for _ in range(60)]
    lines = [f"{x:.3f},{y:.3f},{int(x + y + chance.gauss(0, 0.2) > 1)}" for x, y in rows]
    Path("points.csv").write_text("x,y,side\n" + "\n".join(lines) + "\n")

    def written(sweep, text=SPEC, name="small.yaml"):
        indented = "\n".join(f"  {line}" for line in sweep.strip().splitlines())
        Path(name).write_text(text.format(sweep=indented))
        return Path(name)

    return written


@pytest.fixture
def network():
    """The text of a spec that trains, and so can be ended early."""
    return NETWORK


@pytest.fixture
def sweep():
    """Run the sweep of a spec as it stands, in this process."""

    def run(path, runs="runs", watcher=None, control=None, **place):
        checked = check(path)
        where = SweepPlace(Path(runs), **place)
        return run_sweep(checked, where, watcher=watcher or Unwatched(), control=control or Control())

    return run


@pytest.fixture
def cli(write):
    """Call `runexp ARGS…`; the signal handlers it sets are taken back."""

    def call(*args):
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            return CliRunner().invoke(app, [str(arg) for arg in args])
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    return call
