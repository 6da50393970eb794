"""Folds that train at once give what they give one after the other, but for rounding (S-47)."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from folds.tables import ran, write_table

SPEC = """\
runexp: 1
name: at_once
seed: 3
execution: {{device: cpu, threads: 1}}
data:
  t:
    source: table.csv
    features: {{x: [x0, x1, x2]}}
    targets: {{kind: kind, y: [x2, x0, x1]}}
    tags: {{id: id}}
    transforms: [{{on: x, use: standard_scaler}}]
nodes:
  net: {{inputs: t.x, layers: [{layers}]}}
losses: {{ {losses} }}
callbacks:
  validate: {{use: evaluation, split: val}}
  stop: {{use: early_stopping, monitor: val_loss, patience: {patience}, restore_best: true}}
phases:
  train:
    kind: train
    batches: {{size: 8}}
    {length}
    losses: [{used}]
    optimizer: {optimizer}
    callbacks: [validate, stop]
    {more}
  score: {{kind: eval, split: test, losses: [{used}]}}
cv: {cv}
"""

PLAIN = {
    "layers": "{torch.nn.Linear: {out_features: 6}}, torch.nn.Tanh, {torch.nn.Linear: {out_features: 3}}",
    "losses": "ce: {node: net, use: cross_entropy, inputs: [outputs, targets.kind]}",
    "used": "ce",
    "optimizer": "{use: adam, with: {lr: 0.05}}",
    "length": "epochs: 4",
    "patience": "9",
    "more": "",
    "cv": "{folds: 4, data: {t: {val_size: 0.2}}}",
}
# A bias before a batch normalisation has no gradient but rounding, which Adam makes steps of.
NORMED = (
    "{torch.nn.Linear: {out_features: 6, bias: false}}, torch.nn.BatchNorm1d, torch.nn.ReLU,"
    " {torch.nn.Linear: {out_features: 3}}"
)
REGRESSION = "y: {node: net, use: %s, inputs: [outputs, targets.y]}"
TWO = (
    "ce: {node: net, use: cross_entropy, inputs: [outputs, targets.kind], weight: 0.7},"
    " size: {node: net, use: mse, inputs: [outputs, targets.y], weight: 0.3}"
)
CASES = {
    "Adam": {},
    "AdamW, decay on matrices, clipped": {
        "optimizer": "{use: adamw, with: {lr: 0.05, weight_decay: 0.1}, decay: matrices}", "more": "clip: {norm: 0.5}",
    },
    "momentum, a schedule with warm-up": {
        "optimizer": "{use: sgd, with: {lr: 0.1, momentum: 0.9, nesterov: true}}",
        "more": "schedule: {use: cosine, warmup_steps: 5}",
    },
    "a plateau of its own for each fold": {
        "more": "schedule: {use: plateau, monitor: val_loss, patience: 1}", "length": "epochs: 8",
    },
    "torch's own one-cycle, which moves momentum too": {
        "more": "schedule: {use: torch.optim.lr_scheduler.OneCycleLR, with: {max_lr: 0.1, total_steps: 40},"
        " interval: step}",
    },
    "several optimizers' groups": {
        "optimizer": "{use: rmsprop, with: {lr: 0.01}, groups: {'net.0.*': {lr: 0.001}}}",
    },
    "an optimizer that is not elementwise": {"optimizer": "{use: torch.optim.Adafactor, with: {lr: 0.05}}"},
    "early stopping at another epoch in each fold": {
        "patience": "1", "length": "epochs: 30", "optimizer": "{use: adam, with: {lr: 0.3}}",
    },
    "batch normalisation": {"layers": NORMED},
    "layer norm, and layers that torch maps": {
        "layers": "{torch.nn.Linear: {out_features: 6}}, torch.nn.LayerNorm, torch.nn.GELU, {torch.nn.Unflatten:"
        " {dim: 1, unflattened_size: [2, 3]}}, {torch.nn.Conv1d: {out_channels: 3, kernel_size: 2}}, torch.nn.Flatten,"
        " {torch.nn.Linear: {out_features: 3}}",
    },
    "gathered gradients, a short last step": {"more": "accumulate: 3"},
    "clipped by value": {"more": "clip: {value: 0.01}"},
    "a length in steps": {"length": "steps: 13"},
    "two losses": {"losses": TWO, "used": "ce, size"},
    "huber": {"losses": REGRESSION % "huber", "used": "y"},
    "a loss that torch maps": {
        "losses": "ce: {node: net, use: cross_entropy, inputs: [outputs, targets.kind],"
        " with: {weight: [1.0, 2.0, 0.5]}}",
    },
    "another seed for each fold": {"cv": "{folds: 4, data: {t: {val_size: 0.2}}, new_seed: true}"},
    "folds of other numbers of batches": {"cv": "{data: {t: {column: kind, val_size: 0.2}}}"},
}  # fmt: skip


def written(folder: Path, **changes: str) -> Path:
    """The spec of a case with a table beside it."""
    folder.mkdir(exist_ok=True)
    write_table(folder)
    path = folder / "spec.yaml"
    path.write_text(SPEC.format(**(PLAIN | changes)))
    return path


def both(folder: Path, **changes: str):
    """A case run one after the other and at once."""
    path = written(folder, **changes)
    return ran(path, folder / "turn"), ran(path, folder / "once", "cv.execution=vectorized")


def told(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("time", "plan")} for line in lines]


def alike(one: object, other: object) -> bool:
    """Equal, numbers to a relative 1e-4 or an absolute 1e-6."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-6)
    return one == other


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_s47_folds_at_once_tell_what_folds_in_turn_tell(tmp_path, changes):
    """Events, weights, predictions: everything that is on file, to a relative 1e-4."""
    turn, once = both(tmp_path / "case", **changes)
    assert turn.status == once.status == "completed"
    different = [pair for pair in zip(told(turn.folder), told(once.folder), strict=True) if not alike(*pair)]
    assert different == []
    for fold in turn.results.cv.facts:
        file = f"checkpoints/fold-{fold.index}/final/weights.safetensors"
        weights, others = load_file(turn.folder / file), load_file(once.folder / file)
        assert {name: value.tolist() for name, value in others.items()} == {
            name: pytest.approx(value, rel=1e-4, abs=1e-5) if value.ndim else value.tolist()
            for name, value in ((name, value) for name, value in weights.items())
        }
    lines = [pq.read_table(each.folder / "predictions/out_of_fold.parquet").to_pylist() for each in (turn, once)]
    assert alike(*lines)
