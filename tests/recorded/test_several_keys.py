"""Several keys of a feature set fed as one input: `columns:` of a binding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from recorded.runs import ran, write_table
from runexp.api.checking import check
from runexp.api.deep import check_deep

SPEC = """\
runexp: 1
name: keys
seed: 3
execution: {device: cpu, threads: 1}
data:
  t:
    source: table.csv
    features: {x: [x0, x1], n: number, w: {columns: [x0, x1], dtype: float64}, grid: {columns: [x0, x1], shape: [2, 1]}}
    targets: {kind: kind}
    splits: {column: part}
    transforms: [{on: n, use: standard_scaler}]
nodes:
  pca: {use: sklearn.decomposition.PCA, with: {n_components: 2}}
  tail: {inputs: pca, use: torch.nn.Linear, with: {out_features: 3}}
  head: {use: torch.nn.Linear, with: {out_features: 3}}
bindings:
  both: {node: head, data: t, columns: [x, n]}
  more: {node: pca, data: t, columns: [n, x]}
losses:
  ce: {node: head, use: cross_entropy}
  te: {node: tail, use: cross_entropy}
phases:
  reduce: {kind: fit}
  train: {kind: train, epochs: 3, batches: {size: 8}, losses: [ce, te], optimizer: {use: adam, with: {lr: 0.05}}}
  test: {kind: eval, split: test, losses: [ce, te], record: [outputs]}
"""


@pytest.fixture
def spec(tmp_path):
    write_table(tmp_path)
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


def test_keys_are_put_side_by_side_in_the_order_written(spec, tmp_path):
    """S-02, S-10: a transformed number beside two columns, for a network and for an estimator."""
    found = ran(spec, tmp_path / "run")
    rows = [line.split(",") for line in (tmp_path / "table.csv").read_text().splitlines()[1:]]
    x = np.array([[float(row[1]), float(row[2])] for row in rows])
    is_train = np.array([row[7] == "train" for row in rows])
    n = np.arange(len(rows))
    n = (n - n[is_train].mean()) / n[is_train].std()
    weights = load_file(found.folder / "checkpoints/final/weights.safetensors")
    assert weights["head.weight"].shape == (3, 3)
    fed = torch.tensor(np.column_stack([x, n])[~is_train], dtype=torch.float32)
    expected = fed @ weights["head.weight"].T + weights["head.bias"]
    assert np.allclose(found.outputs("test")["head"], expected, atol=1e-5)
    centred = np.column_stack([n, x])[is_train]
    axes = np.linalg.svd(centred - centred.mean(0))[2][:2]
    projected = np.abs((np.column_stack([n, x]) - centred.mean(0))[~is_train] @ axes.T)
    assert np.allclose(np.abs(found.outputs("test")["pca"]), projected, atol=1e-4)
    assert found.outputs("test").columns[-3:] == ("head", "pca", "tail")


def test_it_is_the_same_as_a_node_that_merges(spec, tmp_path):
    """S-09: to the last bit."""
    mine = ran(spec, tmp_path / "mine").summary()
    text = SPEC.replace("  both: {node: head, data: t, columns: [x, n]}\n", "").replace("n: number", "n: [number]")
    text = text.replace("features: {", "features: {one: {columns: [number], shape: [1]}, ").replace(
        "on: n", "on: [n, one]"
    )
    text = text.replace("  head: {", "  joined: {inputs: [t.x, t.one], merge: concat}\n  head: {inputs: joined, ")
    spec.write_text(text)
    assert ran(spec, tmp_path / "merged").summary() == mine


@pytest.mark.parametrize(
    ("written", "told"),
    [("[x, w]", "float32 and float64"), ("[x, grid]", "rows of the shapes (2,), (2, 1)")],
)
def test_keys_that_do_not_fit_are_refused_at_the_binding(spec, written, told):
    """S-10: found without training anything."""
    spec.write_text(SPEC.replace("columns: [x, n]", f"columns: {written}"))
    (found,) = [item for item in check_deep(check(spec)).checked.diagnostics if item.is_error]
    assert (found.code, found.path) == ("shape-mismatch", "bindings.both.columns")
    assert told in found.message
    assert "t.x (rows, 2)" in found.label
