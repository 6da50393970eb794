"""A spec that runs in a moment, and a tracker that writes down what it is told."""

from __future__ import annotations

from pathlib import Path

import runexp

SPEC = """
runexp: 1
name: digits
vars: {{lr: 3e-3}}
data:
  digits:
    source: sklearn.datasets.load_digits
    features: {{pixels: "pixel_*"}}
    targets: {{label: target}}
    splits: {{train: 0.3, val: 0.1, test: 0.6, stratify_by: label}}
    transforms: [{{on: pixels, use: sklearn.preprocessing.StandardScaler}}]
nodes:
  encoder: {{inputs: digits.pixels, layers: [{{torch.nn.Linear: {{out_features: 16}}}}, torch.nn.ReLU]}}
  head: {{inputs: encoder, use: torch.nn.Linear, with: {{out_features: 10}}}}
losses: {{ce: {{node: head, use: cross_entropy}}}}
callbacks: {{validate: {{use: evaluation, split: val, metrics: [accuracy]}}}}
phases:
  train:
    kind: train
    epochs: 3
    split: train
    batches: {{size: 100}}
    losses: [ce]
    optimizer: {{use: adamw, with: {{lr: "${{vars.lr}}"}}}}
    callbacks: [validate]
  test: {{kind: eval, split: test, losses: [ce], metrics: [accuracy]}}
{extra}
"""
N_BATCHES = 6


def write_spec(folder: Path, extra: str = "") -> Path:
    """The spec with more sections."""
    path = folder / "spec.yaml"
    path.write_text(SPEC.format(extra=extra), encoding="utf-8")
    return path


def run_spec(folder: Path, extra: str = "") -> runexp.Run:
    """A finished run of the spec."""
    return runexp.compile(runexp.load(write_spec(folder, extra))).run(runs=folder / "runs")


class Notebook:
    """A tracker that notes every call, and refuses as long as it is told to."""

    def __init__(self, known=None):
        self.known = known or {}
        self.calls = []
        self.refuses = False

    def start(self, run):
        self._note("start", run)
        return self.known

    def log(self, points):
        self._note("log", list(points))

    def keep(self, path, name):
        self._note("keep", name)

    def finish(self, status):
        self._note("finish", status)

    @property
    def points(self):
        return [point for kind, points in self.calls if kind == "log" for point in points]

    def _note(self, kind, what):
        if self.refuses:
            raise ConnectionError("the server is away")
        self.calls.append((kind, what))
