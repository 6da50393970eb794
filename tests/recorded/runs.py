"""A small table of classes and numbers, and specs that record what is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runexp.api.checking import check
from runexp.api.opening import StoredRun
from runexp.api.running import Place, run

N_ROWS = 40
KINDS = ("ant", "bee", "cat")

SPEC = """\
runexp: 1
name: recorded
seed: 5
execution: {device: cpu, threads: 1}
data:
  t:
    source: table.csv
    features: {x: [x0, x1]}
    targets: {kind: kind, y: y}
    tags: {id: id, where: where, number: number}
    splits: {column: part}
    transforms: [{on: y, use: standard_scaler}]
nodes:
  body: {inputs: t.x, layers: [torch.nn.Linear: {out_features: 4}, torch.nn.Tanh]}
  head: {inputs: body, use: torch.nn.Linear, with: {out_features: 3}}
  line: {inputs: body, use: torch.nn.Linear, with: {out_features: 1}}
losses:
  ce: {node: head, use: cross_entropy, inputs: [outputs, targets.kind]}
  error: {node: line, use: mse, inputs: [outputs, targets.y]}
phases:
  train:
    kind: train
    epochs: 2
    batches: {size: 8}
    losses: [ce, error]
    optimizer: {use: sgd, with: {lr: 0.1}}
    record: [%s]
  test:
    kind: eval
    split: test
    losses: [ce, error]
    metrics: [{use: accuracy, node: head}, {use: mse, node: line}]
    batch_size: 5
    record: [%s]
"""


def write_table(folder: Path) -> None:
    """Three kinds, a number in the hundreds, ids and two tags; every third row is of the split `test`."""
    rng = np.random.default_rng(2)
    lines = ["id,x0,x1,kind,y,where,number,part"]
    for row in range(N_ROWS):
        x = rng.normal(size=2)
        part = "test" if row % 3 == 2 else "train"
        lines.append(
            f"r{row},{x[0]:.4f},{x[1]:.4f},{KINDS[row % 3 - row % 2]},{300 + 100 * x[0]:.3f},w{row % 4},{row},{part}"
        )
    (folder / "table.csv").write_text("\n".join(lines) + "\n")


def written(folder: Path, train: str = "", test: str = "", *, text: str = SPEC) -> Path:
    """The spec in a file, beside its table."""
    write_table(folder)
    path = folder / "spec.yaml"
    path.write_text(text % (train, test))
    return path


def ran(path: Path, at: Path, *overrides: str) -> StoredRun:
    """The run of a spec, opened from its folder."""
    outcome = run(check(path, overrides=overrides), Place(at=at), watch=lambda live: ())
    assert outcome.status == "completed", outcome.error
    return StoredRun(at)
