"""A store of three real runs, made once; every test gets a copy of its own."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from runexp.cli.app import app

SPEC = """\
runexp: 1
name: wine
seed: 1
vars: {lr: 0.01}
data:
  wine:
    source: sklearn.datasets.load_wine
    features: {x: [alcohol, ash, hue]}
    targets: {kind: target}
    splits: {train: 0.7, val: 0.15, test: 0.15, stratify_by: kind}
nodes:
  head: {inputs: wine.x, use: torch.nn.Linear, with: {out_features: 3}}
losses:
  ce: {node: head, use: cross_entropy}
callbacks:
  check: {use: evaluation, split: val, losses: [ce], metrics: [accuracy]}
phases:
  train:
    kind: train
    epochs: 3
    losses: [ce]
    optimizer: {use: adamw, with: {lr: "${vars.lr}"}}
    schedule: {use: cosine, min_ratio: 0.1}
    callbacks: [check]
    checkpoints: {every_n: 1, max_to_keep: 2, monitor: val_loss}
  test: {kind: eval, split: test, losses: [ce], metrics: [accuracy]}
"""


def call(*arguments, stdin=None):
    """Call runexp in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Three runs: `wine` twice with different rates, `fails` once, which never learns from an infinite rate."""
    place = tmp_path_factory.mktemp("made")
    spec = place / "wine.yaml"
    spec.write_text(SPEC)
    for changes in (["vars.lr=0.01"], ["vars.lr=0.1", "seed=2"], ["vars.lr=1e30", "name=fails"]):
        words = [word for change in changes for word in ("--set", change)]
        ran = call("run", spec, "--runs", place / "runs", "--quiet", *words)
        assert ran.exit_code in (0, 1), ran.output
    return place / "runs"


@pytest.fixture
def runs(made, tmp_path, monkeypatch):
    """The store: a copy of the three runs."""
    for variable in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made, tmp_path / "runs")
    monkeypatch.setenv("RUNEXP_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def folders(runs):
    """The run folders, the oldest first."""
    found = [path.parent for path in runs.glob("*/*/status.json")]
    return sorted(found, key=lambda path: json.loads((path / "status.json").read_text())["started"])
