"""A table with one row that no loss survives, and specs over it."""

from __future__ import annotations

import json
import time

from runexp.api.checking import check
from runexp.api.running import Place, run
from runexp.engine.control import Control
from runexp.events import BatchFinished, EpochFinished

SPEC = """\
runexp: 1
name: guarded
seed: 1
execution: {device: cpu, threads: 1}
data:
  d:
    source: table.csv
    features: {x: [a, b]}
    targets: {y: y}
    tags: {id: id}
nodes:
  body: {inputs: d.x, layers: [torch.nn.Linear: {out_features: 4}, torch.nn.BatchNorm1d, torch.nn.Dropout: {p: 0.1}]}
  head: {inputs: body, use: torch.nn.Linear, with: {out_features: 1}}
losses: {fit: {node: head, use: mse}}
phases:
  train:
    kind: train
    split: all
    epochs: 4
    batches: {size: 8, shuffle: false}
    losses: [fit]
    optimizer: {use: adam, with: {lr: 0.05}}
    checkpoints: {at: epoch_end}
"""
FOLDS = {
    "tags: {id: id}": "tags: {id: id}\n    splits: {train: 0.75, rest: 0.25}",
    "split: all": "split: train",
    "phases:\n": "cv: {folds: 3, data: {d: {pool: [train]}}}\nphases:\n",
}


def write_table(folder, *, n_rows=40, broken=()):
    """Rows `r0`, `r1`, …; targets of the broken ones are so large that their square is infinite."""
    lines = ["id,a,b,y"]
    for row in range(n_rows):
        y = "1e30" if row in broken else f"{row % 7}"
        lines.append(f"r{row},{row / 40},{(row * 7 % 11) / 11},{y}")
    (folder / "table.csv").write_text("\n".join(lines) + "\n")


def checked(folder, guards="", *, spec=SPEC, **changes):
    """A spec with guards; `changes` replace texts by others."""
    for old, new in changes.get("replaced", {}).items():
        assert old in spec
        spec = spec.replace(old, new)
    path = folder / "spec.yaml"
    path.write_text(spec + (f"guards: {guards}\n" if guards else ""))
    return check(path)


def ran(folder, guards="", *, name="run", watch=(), **changes):
    """A run and its events."""
    control = Control()
    found = checked(folder, guards, **changes)
    finished = run(found, Place(at=folder / name, save_every_s=1000.0), watch=lambda live: list(watch), control=control)
    lines = (folder / name / "events.jsonl").read_text().splitlines()
    return finished, [json.loads(line) for line in lines]


def of(kind, events):
    return [event for event in events if event["event"] == kind]


class Waiting:
    """A sink that makes the run wait after so many batches or epochs, counted over the whole run."""

    def __init__(self, seconds, *, after=0, every=False, kind=BatchFinished):
        self.wants = frozenset({kind})
        self._seconds = seconds
        self._left = after
        self._every = every

    def receive(self, stamped):
        self._left -= 1
        if self._left == 0 or (self._every and self._left < 0):
            time.sleep(self._seconds)

    def close(self):
        pass


EPOCHS = EpochFinished
