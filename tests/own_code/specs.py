"""A spec whose every part can be one's own, and its code; tests vary the text of both."""

from __future__ import annotations

from runexp.api.checking import check
from runexp.api.running import Place, run
from runexp.diagnostics import SpecError

SPEC = """\
runexp: 1
name: own
imports: [mine]
execution: {device: cpu, threads: 1}
data:
  d:
    source: {use: mine.rows, with: {n: 40}}
    features: {x: [a, b]}
    targets: {y: y}
    splits: {train: 0.5, test: 0.5}
nodes:
  net: {inputs: d.x, use: mine.Net, with: {width: 4}}
losses:
  fit: {node: net, use: mine.loss}
phases:
  train: {kind: train, epochs: 2, batches: {size: 10}, losses: [fit], optimizer: {use: sgd, with: {lr: 0.01}}}
  test: {kind: eval, split: test, losses: [fit], metrics: [{use: mine.worst, node: net}]}
"""
CODE = """\
import numpy as np
import torch
from torch import nn


def rows(n, seed=None):
    draw = np.random.default_rng(seed)
    a, b = draw.normal(size=n), draw.normal(size=n)
    return {"a": a, "b": b, "y": a + b}


class Net(nn.Module):
    def __init__(self, in_features: int, width: int = 8):
        super().__init__()
        self.inner = nn.Linear(in_features, width)
        self.outer = nn.Linear(width, 1)

    def forward(self, x, mask=None):
        return self.outer(torch.tanh(self.inner(x)))


def loss(outputs, targets, power: float = 2.0):
    return (outputs.squeeze(1) - targets).abs().pow(power).mean()


class Distance(nn.Module):
    def __init__(self, power: float):
        super().__init__()
        self.power = power

    def forward(self, outputs, targets):
        return loss(outputs, targets, self.power)


def distance(power):
    return Distance(power)


def worst(outputs, targets):
    return np.abs(outputs[:, 0] - targets).max()
"""


def write(folder, spec=SPEC, code=CODE):
    folder.mkdir(exist_ok=True)
    (folder / "mine.py").write_text(code)
    (folder / "spec.yaml").write_text(spec)
    return folder / "spec.yaml"


def found_in(folder, spec=SPEC, code=CODE):
    """What checking finds, without running anything."""
    return check(write(folder, spec, code)).diagnostics


def ran(folder, spec=SPEC, code=CODE, *, name="run"):
    """A run of the spec in a folder of its own."""
    checked = check(write(folder, spec, code))
    assert checked.diagnostics == ()
    return run(checked, Place(at=folder / name), watch=lambda live: ())


def refused(folder, spec=SPEC, code=CODE):
    """What stands in the way of a run that was not started: nothing was written."""
    checked = check(write(folder, spec, code))
    assert [one for one in checked.diagnostics if one.is_error] == []
    before = sorted(path.name for path in folder.rglob("*"))
    try:
        run(checked, Place(at=folder / "run"), watch=lambda live: ())
    except SpecError as error:
        assert sorted(path.name for path in folder.rglob("*")) == before
        return error.diagnostics
    raise AssertionError("it ran")
