"""Feature sets folded together, run to the end: rows of one sample or group are in one part of a fold in all."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from folds.tables import ran, write_table
from runexp.api.checking import check

SPEC = """\
runexp: 1
name: together
seed: 3
execution: {device: cpu, threads: 1}
data:
  t:
    source: table.csv
    features: {x: [x0, x1, x2]}
    targets: {kind: kind}
    tags: {id: id, group: group}
    transforms: [{on: x, use: standard_scaler}]
  u:
    source: other.csv
    features: {z: z}
    tags: {id: id, group: group}
    transforms: [{on: z, use: standard_scaler}]
nodes:
  both: {inputs: [t.x, u.z], merge: concat}
  body: {inputs: both, use: torch.nn.Linear, with: {out_features: 3}}
losses: {ce: {node: body, use: cross_entropy}}
phases:
  train: {kind: train, epochs: 2, batches: {size: 8}, losses: [ce], optimizer: {use: adamw, with: {lr: 0.05}}}
  score: {kind: eval, split: test, losses: [ce], metrics: [accuracy]}
cv: %s
"""


def write(folder, cv):
    """The rows of `other.csv` stand in an order of their own."""
    write_table(folder)
    lines = [f"r{row},{row % 7}.5,g{row % 10}" for row in reversed(range(60))]
    (folder / "other.csv").write_text("\n".join(["id,z,group", *lines]) + "\n")
    (folder / "spec.yaml").write_text(SPEC % cv)
    return folder / "spec.yaml"


@pytest.mark.parametrize(
    "cv",
    [
        "{folds: 3, data: {t: {stratify_by: kind, val_size: 0.2}, u: {}}}",
        "{folds: 3, refit: true, data: {t: {group_by: group, val_size: 0.2}, u: {group_by: group}}}",
    ],
    ids=["id", "group"],
)
def test_two_sets_are_cross_validated_as_one(cv, tmp_path):
    """S-45: every part has the same samples in both, and each sample is held out once in both."""
    finished = ran(write(tmp_path, cv), tmp_path / "run")
    assert finished.status == "completed"
    lines = pq.read_table(tmp_path / "run/folds.parquet").to_pylist()
    parts = {
        data: {(line["fold"], line["split"], line["id"]) for line in lines if line["data"] == data} for data in "tu"
    }
    assert parts["t"] == parts["u"]
    assert len([line for line in lines if line["data"] == "u" and line["split"] == "test"]) == 60
    assert {split for _, split, _ in parts["u"]} == {"train", "val", "test"}
    table = pq.read_table(tmp_path / "run/predictions/out_of_fold.parquet").to_pylist()
    assert sorted(line["id"] for line in table) == sorted(f"r{row}" for row in range(60))


def test_groups_of_one_set_hold_for_the_other_by_the_ids(tmp_path):
    path = write(tmp_path, "{folds: 5, held_out: test, data: {t: {group_by: group}, u: {}}}")
    assert check(path).is_valid
    ran(path, tmp_path / "run")
    lines = pq.read_table(tmp_path / "run/folds.parquet").to_pylist()
    held = {
        (line["fold"], int(line["id"][1:]) % 10) for line in lines if line["split"] == "test" and line["data"] == "u"
    }
    learnt = {(line["fold"], int(line["id"][1:]) % 10) for line in lines if line["split"] == "train"}
    assert held
    assert not held & learnt
