"""Runs that are broken off and gone on with, and what of two run folders must be the same."""

from __future__ import annotations

import json

from safetensors.torch import load_file

from runexp.api.checking import check
from runexp.api.resuming import open_run, resume
from runexp.api.running import Place, run
from runexp.engine.control import Control
from runexp.events import BatchFinished

SPEC = """\
runexp: 1
name: demo
seed: 3
data:
  d:
    source: sklearn.datasets.load_digits
    features: {x: "pixel_*"}
    targets: {y: target}
    splits: {train: 0.4, val: 0.2, rest: 0.4}
nodes:
  pca: {inputs: d.x, use: sklearn.decomposition.PCA, with: {n_components: 12}}
  net:
    inputs: pca
    layers:
      - torch.nn.Linear: {out_features: 8}
      - torch.nn.BatchNorm1d
      - torch.nn.Dropout: {p: 0.2}
  head: {inputs: net, use: torch.nn.Linear, with: {out_features: 10}}
losses: {ce: {node: head, use: cross_entropy}}
callbacks:
  validate: {use: evaluation, split: val, at_start: true}
  stop: {use: early_stopping, monitor: val_loss, patience: 2, min_delta: 0.02, restore_best: true}
phases:
  reduce: {kind: fit, nodes: [pca]}
  both:
    kind: group
    phases:
      first:
        kind: train
        epochs: 5
        losses: [ce]
        accumulate: 3
        batches: {size: 32}
        optimizer: {use: adam, with: {lr: 0.05}}
        schedule: {use: cosine, warmup_steps: 5}
        callbacks: [validate, stop]
        checkpoints: {max_to_keep: 2, monitor: val_loss}
      second:
        kind: train
        steps: 30
        losses: [ce]
        batches: {size: 48}
        optimizer: {use: sgd, with: {lr: 0.05, momentum: 0.9}}
        schedule: {use: plateau, monitor: val_loss, patience: 0}
        callbacks: [validate]
  test: {kind: eval, split: rest, losses: [ce]}
"""


class Interrupting:
    """A sink that interrupts the run after so many batches, counted over the whole run."""

    wants = frozenset({BatchFinished})

    def __init__(self, control, after):
        self._control = control
        self._left = after

    def receive(self, stamped):
        self._left -= 1
        if self._left == 0:
            self._control.interrupt("SIGINT")

    def close(self):
        pass


def begin(spec, folder, *, after=0, save_every_s=1000.0):
    """Run a spec into a folder; with `after` it is interrupted after so many batches."""
    control = Control()
    place = Place(at=folder, save_every_s=save_every_s)
    return run(check(spec), place, watch=lambda live: [Interrupting(control, after)] if after else [], control=control)


def go_on(folder, *, after=0, **options):
    """Go on with a run, and interrupt it again after so many more batches."""
    control = Control()
    watch = lambda live: [Interrupting(control, after)] if after else []  # noqa: E731 - it is one expression
    return resume(open_run(folder), watch=watch, control=control, **options)


def telling(folder, *, numbered=False):
    """Everything a run folder says that must not depend on whether the run was broken off.

    Events are numbered alike only where nobody asked for those of single batches, as `Interrupting` does.
    """
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    for event in events:
        del event["time"]
        if not numbered:
            del event["seq"]
    summary = json.loads((folder / "summary.json").read_text())
    pointers = {path.parent.name: path.read_text() for path in (folder / "checkpoints").rglob("pointers.json")}
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.name != "lock")
    return {
        "events": events,
        "metrics": (folder / "metrics.csv").read_text(),
        "summary": summary,
        "pointers": pointers,
        "files": files,
    }


def weights(folder):
    """The bits of every file of tensors in the checkpoints."""
    return {
        f"{path.relative_to(folder)}:{name}": value.numpy().tobytes()
        for path in sorted((folder / "checkpoints").rglob("*.safetensors"))
        for name, value in load_file(path).items()
    }


def assert_same(folder, whole, *, numbered=False):
    """Both runs told, measured, kept and learned the same, bit for bit."""
    assert telling(folder, numbered=numbered) == telling(whole, numbered=numbered)
    assert weights(folder) == weights(whole)
