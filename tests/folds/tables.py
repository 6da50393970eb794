"""A small table on disk, and specs that fold it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runexp.api.checking import check
from runexp.api.running import Place, run
from runexp.runtime.folds.divide import divide_folds

N_ROWS = 60
SPEC = """\
runexp: 1
name: folded
seed: 3
execution: {device: cpu, threads: 1}
data:
  t:
    source: table.csv
    features: {x: [x0, x1, x2]}
    targets: {kind: kind}
    tags: {id: id, group: group}
    %s
    transforms: [{on: x, use: standard_scaler}]
nodes:
  head: {inputs: t.x, use: torch.nn.Linear, with: {out_features: 3}}
losses:
  ce: {node: head, use: cross_entropy}
phases:
  train:
    kind: train
    batches: {size: 8}
    epochs: 2
    losses: [ce]
    optimizer: {use: adamw, with: {lr: 0.05}}
    callbacks: [{use: evaluation, split: %s}]
  score: {kind: eval, split: %s, losses: [ce], metrics: [accuracy]}
cv: %s
"""


def write_table(folder: Path, n_rows: int = N_ROWS) -> None:
    """Three features, three classes of 30, 20 and 10 of 60, ten groups, a time that runs backwards, a part, a fold."""
    rng = np.random.default_rng(1)
    lines = ["id,x0,x1,x2,kind,group,time,part,fold,word"]
    for row in range(n_rows):
        kind = 0 if row % 6 < 3 else 1 if row % 6 < 5 else 2
        x = rng.normal(size=3) + kind
        part = "test" if row % 10 == 9 else "val" if row % 10 == 8 else "train"
        fold = "" if row < 3 else str(row % 4)
        word = "rare" if row == 7 else "often"
        cells = [f"r{row}", *(f"{value:.4f}" for value in x), kind, f"g{row % 10}", n_rows - row, part, fold, word]
        lines.append(",".join(map(str, cells)))
    (folder / "table.csv").write_text("\n".join(lines) + "\n")


def spec(folder: Path, cv: str, *, splits: str = "", held_out: str = "val", watched: str = "train") -> Path:
    """A spec over the table, in a file of its own."""
    if not (folder / "table.csv").exists():
        write_table(folder)
    path = folder / "spec.yaml"
    path.write_text(SPEC % (f"splits: {splits}" if splits else "windows: null", watched, held_out, cv))
    if not splits:
        path.write_text(path.read_text().replace("    windows: null\n", ""))
    return path


def divided(folder: Path, cv: str, **others: str):
    """The folds of such a spec; fails where it is not valid."""
    checked = check(spec(folder, cv, **others))
    assert checked.is_valid, [str(found) for found in checked.diagnostics]
    return divide_folds(checked.linked, folder=folder).folds


def ran(path: Path, at: Path, *overrides: str, watch=lambda live: (), control=None):
    """The run of a spec in a folder."""
    return run(check(path, overrides=overrides), Place(at=at), watch=watch, control=control)
