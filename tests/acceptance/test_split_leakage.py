"""T13 with splits instead of folds: a scaler sees the training rows only, and the numbers are those of a hand loop."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from runexp.api.checking import check
from runexp.api.running import Place, run
from runexp.runtime.data import build_feature_set

SHARED = Path(os.environ.get("RUNEXP_SHARED", Path(__file__).parents[3] / "shared")).resolve()
TRACES = SHARED / "acceptance" / "exact_traces.json"
TABLE = SHARED / "data" / "sklearn" / "cancer.csv"

pytestmark = pytest.mark.skipif(not TRACES.is_file(), reason=f"needs {TRACES} (set RUNEXP_SHARED)")

SPEC = """\
runexp: 1
name: fold
seed: 0
execution: {{device: cpu, threads: 1}}
data:
  cancer:
    source: {table}
    features: {{x: "x*"}}
    targets: {{y: y}}
    splits: {{where: {{train: {{fold: {{ne: {fold}}}}}, val: {{fold: {{eq: {fold}}}}}}}}}
    transforms: [{{on: x, use: standard_scaler}}]
nodes:
  line: {{inputs: cancer.x, use: torch.nn.Linear, with: {{out_features: 2}}, init: zeros}}
losses:
  ce: {{node: line, use: cross_entropy}}
callbacks:
  val: {{use: evaluation, split: val, losses: [ce], metrics: [accuracy]}}
phases:
  train:
    kind: train
    epochs: 10
    batches: {{size: 32, shuffle: false}}
    losses: [ce]
    optimizer: {{use: sgd, with: {{lr: 0.1}}}}
    callbacks: [val]
"""


def written(folder, fold, table=TABLE):
    path = folder / f"fold{fold}.yaml"
    path.write_text(SPEC.format(table=table, fold=fold))
    return check(path)


def test_s03_splits_by_fold_with_a_scaler_fitted_on_training_rows_give_the_numbers_of_the_trace(tmp_path):
    expected = json.loads(TRACES.read_text())["T13_cv_fold_column"]
    for fold in range(5):
        finished = run(written(tmp_path, fold), Place(at=tmp_path / f"run{fold}"), watch=lambda live: ())
        numbers = finished.results.summary()["train"]
        assert numbers["val_loss"] == pytest.approx(expected["val_loss"][fold], abs=1e-5)
        assert numbers["val_accuracy"] == pytest.approx(expected["val_acc"][fold], abs=1e-5)
        assert numbers["val_loss"] != pytest.approx(expected["LEAKY_scaler_on_all_rows_val_loss"][fold], abs=3e-5)


def test_s03_what_stands_in_held_out_rows_does_not_move_what_was_fitted_by_a_bit(tmp_path):
    with TABLE.open(newline="") as file:
        header, *rows = csv.reader(file)
    fold = header.index("fold")
    spoilt = [
        [
            str(float(value) * 1e6) if row[fold] == "0" and name.startswith("x") else value
            for name, value in zip(header, row, strict=True)
        ]
        for row in rows
    ]
    with (tmp_path / "spoilt.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *spoilt])
    clean, other = (
        build_feature_set(written(tmp_path, 0, table).linked.data[0], seed=0, folder=tmp_path)
        for table in (TABLE, tmp_path / "spoilt.csv")
    )
    (first,), (second,) = clean.transformers("x"), other.transformers("x")
    assert np.array_equal(first.mean_, second.mean_)
    assert np.array_equal(first.scale_, second.scale_)
    train = clean.splits["train"]
    assert np.array_equal(clean.array("x")[train], other.array("x")[train])
    assert not np.array_equal(clean.array("x"), other.array("x"))
