"""A small table on disk, and specs whose folds choose a number of neighbours for themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runexp.api.checking import check
from runexp.api.running import Place, run

N_ROWS = 48
SPEC = """\
runexp: 1
name: nested
seed: 3
vars: {neighbours: 1}
data:
  t:
    source: table.csv
    features: {x: [x0, x1]}
    targets: {kind: kind}
    tags: {id: id, group: group}
    transforms: [{on: x, use: standard_scaler}]
nodes:
  near:
    inputs: t.x
    use: sklearn.neighbors.KNeighborsClassifier
    with: {n_neighbors: "${vars.neighbours}", algorithm: brute}
phases:
  fit: {kind: fit, nodes: [near]}
  score: {kind: eval, split: val, metrics: [accuracy, f1_macro]}
cv: %s
sweep: %s
"""
CV = "{folds: 2, data: {t: {stratify_by: kind}}, inner: {folds: 2}}"
SWEEP = "{sampler: grid, parameters: {vars.neighbours: [1, 9]}, objective: score.accuracy}"


def table(folder, seed=0):
    """Two classes that overlap; every four rows are one group, and `fold` parts them in two."""
    chance = np.random.default_rng(seed)
    kinds = np.arange(N_ROWS) % 2
    places = chance.normal(size=(N_ROWS, 2)) + kinds[:, None]
    lines = [
        f"r{row},g{row // 4},{place[0]:.4f},{place[1]:.4f},{'ab'[kind]},{row // 2 % 2}"
        for row, (place, kind) in enumerate(zip(places, kinds, strict=True))
    ]
    path = Path(folder, "table.csv")
    path.write_text("\n".join(["id,group,x0,x1,kind,fold", *lines]) + "\n")
    return path


def spec(folder, cv=CV, sweep=SWEEP, name="nested.yaml"):
    """A spec beside its table."""
    if not Path(folder, "table.csv").exists():
        table(folder)
    path = Path(folder, name)
    path.write_text(SPEC % (cv, sweep))
    return path


def ran(path, folder, overrides=(), **options):
    """The run of a spec into a folder."""
    checked = check(path, overrides=overrides)
    return run(checked, Place(at=Path(folder), save_every_s=0.0), watch=lambda live: (), **options)
