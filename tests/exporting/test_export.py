"""`runexp export`: files that other programs run give the numbers the run's model gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_diabetes, load_wine

import runexp
from runexp.api.exporting import export_model
from runexp.api.models import load_model
from runexp.runtime.model import CannotLoad

COLUMNS = ["age", "bmi", "bp"]
NUMBERS = """
runexp: 1
name: numbers
data:
  diabetes:
    source: sklearn.datasets.load_diabetes
    features: {x: [age, bmi, bp]}
    targets: {progress: target}
    splits: {train: 0.8, test: 0.2}
    transforms:
      - {on: x, use: sklearn.preprocessing.StandardScaler}
      - {on: x, use: sklearn.preprocessing.MinMaxScaler}
      - {on: progress, use: sklearn.preprocessing.StandardScaler}
nodes:
  body: {inputs: diabetes.x, layers: [{torch.nn.Linear: {out_features: 8}}, torch.nn.ReLU]}
  head: {inputs: body, use: torch.nn.Linear, with: {out_features: 1}}
losses: {error: {node: head, use: mse}}
phases:
  train: {kind: train, epochs: 1, losses: [error], optimizer: {use: adamw}}
  test: {kind: eval, split: test, losses: [error], metrics: [mae]}
"""
REDUCED = """
runexp: 1
name: reduced
data:
  wine:
    source: sklearn.datasets.load_wine
    features: {x: [alcohol, hue, proline]}
    targets: {kind: target}
    splits: {train: 0.8, test: 0.2}
    transforms: [{on: x, use: sklearn.preprocessing.QuantileTransformer, with: {n_quantiles: 20}}]
nodes:
  head: {inputs: wine.x, use: torch.nn.Linear, with: {out_features: 3}}
losses: {ce: {node: head, use: cross_entropy}}
phases:
  train: {kind: train, epochs: 1, losses: [ce], optimizer: {use: adamw}}
"""
HYBRID = (
    REDUCED.replace("name: reduced", "name: hybrid")
    .replace("  head: {inputs: wine.x", "  pca: {inputs: wine.x, use: sklearn.decomposition.PCA}\n  head: {inputs: pca")
    .replace("phases:\n", "phases:\n  reduce: {kind: fit, nodes: [pca]}\n")
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder of runs with one of each spec."""
    folder = tmp_path_factory.mktemp("runs")
    for text in (NUMBERS, REDUCED, HYBRID):
        (folder / "spec.yaml").write_text(text)
        runexp.compile(runexp.load(folder / "spec.yaml")).run(runs=folder)
    return folder


def rows() -> np.ndarray:
    table = load_diabetes(as_frame=True).frame
    return table[COLUMNS].to_numpy()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "torch"])
def test_a_network_takes_columns_as_read_and_gives_the_targets_own_units(runs, tmp_path, form):
    path = tmp_path / ("model.onnx" if form == "onnx" else "model.pt2")
    exported = export_model("numbers/last", form, path, runs=runs)
    assert exported.difference < 1e-5
    values = rows()  # 442 rows, and the example had 4
    if form == "onnx":
        session = pytest.importorskip("onnxruntime").InferenceSession(str(path))
        (found,) = session.run(["head"], {"diabetes.x": values})
        told = json.loads(session.get_modelmeta().custom_metadata_map["runexp"])
        assert [one["column"] for one in told["inputs"]] == COLUMNS
    else:
        (tensor,) = torch.export.load(str(path)).module()(torch.tensor(values))
        found = tensor.numpy()
    wanted = load_model("numbers/last", runs=runs).predict(values).only.values
    assert np.ptp(wanted) > 0
    np.testing.assert_allclose(found[:, 0], wanted, rtol=1e-5)


@pytest.mark.slow
def test_where_a_transform_is_more_than_a_scale_the_network_alone_is_exported_on_request(runs, tmp_path):
    export_model("reduced/last", "onnx", tmp_path / "net.onnx", runs=runs, inputs="transformed")
    model = load_model("reduced/last", runs=runs)
    table = load_wine(as_frame=True).frame[["alcohol", "hue", "proline"]].to_numpy()
    transformed = model.references["wine"].transforms["x"].steps[0].transformer.transform(table).astype(np.float32)
    session = pytest.importorskip("onnxruntime").InferenceSession(str(tmp_path / "net.onnx"))
    (found,) = session.run(None, {"wine.x": transformed})
    np.testing.assert_allclose(found, model.predict(table).only.values, rtol=1e-4, atol=1e-6)


def test_weights_are_safetensors_by_node_and_name(runs, tmp_path):
    export_model("numbers/last", "safetensors", tmp_path / "w.safetensors", runs=runs)
    found = load_file(tmp_path / "w.safetensors")
    assert set(found) == {"body.0.weight", "body.0.bias", "head.weight", "head.bias"}
    assert torch.equal(found["head.bias"], load_model("numbers/last", runs=runs).modules["head"].bias)


def test_a_bundle_predicts_as_the_run_does_wherever_it_lies(runs, tmp_path):
    export_model("hybrid/last", "bundle", tmp_path / "bundle", runs=runs)
    (tmp_path / "moved").mkdir()
    moved = (tmp_path / "bundle").rename(tmp_path / "moved/bundle")
    table = load_wine(as_frame=True).frame
    ours, theirs = load_model("hybrid/last", runs=runs).predict(table), load_model(moved).predict(table)
    assert np.array_equal(ours.only.probabilities, theirs.only.probabilities)


def test_estimators_go_to_skops_files(runs, tmp_path):
    export_model("hybrid/last", "skops", tmp_path / "fitted", runs=runs)
    assert [path.name for path in (tmp_path / "fitted").iterdir()] == ["pca.skops"]


@pytest.mark.parametrize(
    ("run", "form", "told"),
    [
        ("reduced/last", "torch", "`--inputs transformed`"),
        ("hybrid/last", "onnx", "`pca` is a scikit-learn estimator"),
        ("numbers/last", "skops", "no estimators"),
        ("numbers/last", "pickle", "forms: bundle"),
    ],
)
def test_what_a_form_cannot_hold_is_said_and_nothing_is_left(runs, tmp_path, run, form, told):
    with pytest.raises(CannotLoad, match=told):
        export_model(run, form, tmp_path / "out", runs=runs)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_command_tells_what_it_wrote_and_writes_over_nothing(runs, tmp_path, run_python):
    words = ("-m", "runexp", "export", "numbers/last", "--format", "safetensors", "--runs", str(runs), "-o", "w")
    first = run_python(*words, cwd=tmp_path)
    assert (first.returncode, first.stdout.splitlines()) == (
        0,
        ["w  safetensors  nodes head", "takes diabetes.x"],
    )
    again = run_python(*words, cwd=tmp_path)
    assert again.returncode == 2
    assert "w is there already" in again.stderr
    assert [path.name for path in Path(tmp_path).iterdir()] == ["w"]
