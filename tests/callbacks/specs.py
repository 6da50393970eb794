"""A small spec whose callbacks vary, and a class of the user's."""

from __future__ import annotations

import json

from runexp.api.checking import check
from runexp.api.running import Place, run

SPEC = """\
runexp: 1
name: hooks
imports: [mine]
execution: {device: cpu, threads: 1}
data:
  iris:
    source: sklearn.datasets.load_iris
    features: {flower: ["sepal *", "petal *"]}
    targets: {species: target}
    splits: {train: 0.6, val: 0.2, test: 0.2}
nodes:
  body: {inputs: iris.flower, use: torch.nn.Linear, with: {out_features: 8}}
  head: {inputs: body, use: torch.nn.Linear, with: {out_features: 3}}
losses:
  ce: {node: head, use: cross_entropy}
callbacks:
  validate: {use: evaluation, split: val, metrics: [accuracy]}
phases:
  train:
    kind: train
    epochs: 4
    batches: {size: 30}
    losses: [ce]
    optimizer: {use: adamw, with: {lr: 0.05}}
    callbacks: [CALLBACKS]
  test: {kind: eval, split: test, losses: [ce], metrics: [accuracy]}
"""
CODE = """\
class Mine:
    def __init__(self, at: int = 1):
        self.at = at

    def on_epoch_end(self, view):
        view.log("ours", view.measured["train_loss"] * 2)
        if view.epoch == self.at:
            view.request_stop("enough")
"""


def found_in(folder, callbacks, code=CODE, spec=SPEC):
    """What checking finds: code and message."""
    return [(one.code, one.message, one.help) for one in checked(folder, callbacks, code, spec).diagnostics]


def checked(folder, callbacks, code=CODE, spec=SPEC):
    folder.mkdir(exist_ok=True)
    (folder / "mine.py").write_text(code)
    (folder / "spec.yaml").write_text(spec.replace("CALLBACKS", callbacks))
    return check(folder / "spec.yaml")


def ran(folder, callbacks, code=CODE, spec=SPEC, *, name="run"):
    """A run and its events."""
    valid = checked(folder, callbacks, code, spec)
    assert [one for one in valid.diagnostics if one.is_error] == []
    finished = run(valid, Place(at=folder / name), watch=lambda live: ())
    lines = (folder / name / "events.jsonl").read_text().splitlines()
    return finished, [json.loads(line) for line in lines]


def of(kind, events):
    return [event for event in events if event["event"] == kind]


def weights(folder):
    return (folder / "checkpoints" / "final" / "weights.safetensors").read_bytes()
