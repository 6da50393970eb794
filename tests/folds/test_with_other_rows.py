"""Folds of feature sets whose samples are no plain rows: windows of a series, pairs between rows, joined tables."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from folds.tables import ran
from runexp.api.checking import check
from runexp.runtime.folds.divide import divide_folds
from runexp.runtime.torch_runtime import TorchRuntime

SHARED = Path(os.environ.get("RUNEXP_SHARED", Path(__file__).parents[3] / "shared")).resolve()
HPPC = SHARED / "data" / "hppc" / "hppc.csv.gz"

SERIES = """\
runexp: 1
name: series
data:
  load:
    source: {use: runexp.data.waves, with: {n_rows: 80, n_series: 2}}
    features: {past: [value]}
    targets: {ahead: value}
    transforms: [{on: past, use: standard_scaler}]
    windows: {size: 5, predict: 2, group_by: series}
nodes:
  net: {inputs: load.past, layers: [torch.nn.Flatten, {torch.nn.Linear: {out_features: 1}}]}
losses: {error: {node: net, use: mse}}
phases:
  train: {kind: train, epochs: 1, losses: [error], optimizer: {use: adam}}
  score: {kind: eval, split: val, losses: [error]}
cv: {folds: {use: time_series, with: {n_splits: 3}}, data: {load: {order_by: time}}}
"""


def test_windows_of_a_fold_hold_rows_of_one_part_alone(tmp_path):
    """S-45: what is held out of a series lies in no window that is learnt from, and the other way round."""
    (tmp_path / "spec.yaml").write_text(SERIES)
    checked = check(tmp_path / "spec.yaml")
    for fold in divide_folds(checked.linked, folder=tmp_path).folds:
        load = TorchRuntime(checked.linked, folder=tmp_path, fold=fold).sets["load"]
        for part in ("train", "val"):
            rows = {int(row) for start in load.splits[part] for row in load.windows.rows[start : start + 7]}
            assert rows <= set(fold.rows["load"][part].tolist())
            assert len(load.splits[part]) > 0


def test_a_series_is_cross_validated_to_its_end(tmp_path):
    (tmp_path / "spec.yaml").write_text(SERIES)
    finished = ran(tmp_path / "spec.yaml", tmp_path / "run")
    assert finished.status == "completed"
    assert len(finished.results.cv.numbers("score.loss")) == 3
    assert (tmp_path / "run/predictions/out_of_fold.parquet").is_file()


PAIRS = """\
runexp: 1
name: pairs
data:
  samples: {source: samples.csv, features: {x: [a, b]}, tags: {id: id}, transforms: [{on: x, use: standard_scaler}]}
  distances: {source: distances.csv, matrix: {rows: samples, id: id}}
nodes:
  encoder: {inputs: samples.x, use: torch.nn.Linear, with: {out_features: 2}}
losses:
  apart: {node: encoder, use: pairwise_distance, inputs: [outputs, distances]}
phases:
  train: {kind: train, epochs: 1, batches: {size: 4}, losses: [apart], optimizer: {use: adam}}
  score: {kind: eval, split: val, losses: [apart]}
cv: {folds: 3, data: {samples: {}}}
"""


def test_pairs_between_rows_are_those_of_the_part(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"s{number}" for number in range(12)]
    values = rng.normal(size=(12, 2)).round(3)
    rows = [f"{name},{a},{b}" for name, (a, b) in zip(names, values, strict=True)]
    (tmp_path / "samples.csv").write_text("\n".join(["id,a,b", *rows]) + "\n")
    apart = np.abs(values[:, None] - values[None]).sum(-1)
    lines = [",".join([name, *map(str, row)]) for name, row in zip(names, apart, strict=True)]
    (tmp_path / "distances.csv").write_text("\n".join([",".join(["", *names]), *lines]) + "\n")
    (tmp_path / "spec.yaml").write_text(PAIRS)
    finished = ran(tmp_path / "spec.yaml", tmp_path / "run")
    assert finished.status == "completed"
    assert len(finished.results.cv.numbers("score.loss")) == 3


@pytest.mark.skipif(not HPPC.is_file(), reason=f"needs {HPPC} (set RUNEXP_SHARED)")
def test_no_battery_cell_is_on_both_sides_of_a_fold(tmp_path):
    (tmp_path / "spec.yaml").write_text(f"""\
runexp: 1
name: hppc
data:
  hppc:
    source: {HPPC}
    features: {{pulse: "v*"}}
    targets: {{soh: soh}}
nodes: {{line: {{inputs: hppc.pulse, use: sklearn.linear_model.Ridge}}}}
phases:
  fit: {{kind: fit, nodes: [line]}}
  score: {{kind: eval, split: val, metrics: [mse]}}
cv: {{folds: 4, data: {{hppc: {{group_by: cell}}}}}}
""")
    checked = check(tmp_path / "spec.yaml")
    with gzip.open(HPPC, "rt") as file:
        column = next(file).strip().split(",").index("cell")
        cells = np.array([line.split(",")[column] for line in file])
    folds = divide_folds(checked.linked, folder=tmp_path).folds
    assert len(folds) == 4
    for fold in folds:
        assert not set(cells[fold.rows["hppc"]["train"]]) & set(cells[fold.rows["hppc"]["val"]])
    assert sorted(row for fold in folds for row in fold.rows["hppc"]["val"]) == list(range(len(cells)))
