"""A model loaded from its run predicts what the run did, with every transform applied and taken back."""

import json
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from sklearn.metrics import mean_absolute_error

import runexp
from runexp.api.checking import check
from runexp.api.models import write_bundle
from runexp.plan.experiment import dump
from runexp.plan.loading import load_plan
from tracking.cases import run_spec

REGRESSION = """
runexp: 1
name: diabetes
data:
  d:
    source: sklearn.datasets.load_diabetes
    features: {measurements: [age, bmi, bp], blood: ["s?"]}
    targets: {progression: target}
    splits: {train: 0.8, test: 0.2}
    transforms:
      - {on: [measurements, blood], use: sklearn.preprocessing.StandardScaler}
      - {on: blood, use: sklearn.preprocessing.PowerTransformer}
      - {on: progression, use: sklearn.preprocessing.StandardScaler}
nodes:
  pca: {inputs: d.blood, use: sklearn.decomposition.PCA, with: {n_components: 3}}
  both: {inputs: [d.measurements, pca], merge: concat}
  head: {inputs: both, use: torch.nn.Linear, with: {out_features: 1}}
losses: {fit: {node: head, use: mse}}
phases:
  reduce: {kind: fit, nodes: [pca], split: train}
  train: {kind: train, epochs: 3, split: train, losses: [fit], optimizer: {use: adamw, with: {lr: 1e-2}}}
  test: {kind: eval, split: test, losses: [fit], metrics: [mae]}
"""
WORDS = """
runexp: 1
name: words
data:
  d:
    source: rows.csv
    features: {x: [a, b], kind: kind}
    targets: {answer: answer}
    splits: {train: 0.8, test: 0.2}
    transforms: [{on: kind, use: sklearn.preprocessing.OneHotEncoder, with: {handle_unknown: ignore}}]
nodes:
  both: {inputs: [d.x, d.kind], merge: concat}
  head: {inputs: both, use: torch.nn.Linear, with: {out_features: "${classes:d.answer}"}}
losses: {ce: {node: head, use: cross_entropy}}
phases:
  train: {kind: train, epochs: 20, split: train, losses: [ce], optimizer: {use: adamw, with: {lr: 0.05}}}
  test: {kind: eval, split: test, losses: [ce], metrics: [accuracy]}
"""


def _run(folder, text):
    (folder / "spec.yaml").write_text(text)
    return runexp.compile(runexp.load(folder / "spec.yaml")).run(runs=folder / "runs")


def _rows(run, split):
    table = pa.parquet.read_table(run.folder / "splits.parquet").to_pandas()
    return table[table["split"] == split]["row"].to_numpy(int)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return run_spec(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def regression(tmp_path_factory):
    return _run(tmp_path_factory.mktemp("regression"), REGRESSION)


def test_classes_and_probabilities_are_those_of_the_run(digits):
    pixels, labels = load_digits(return_X_y=True)
    rows = _rows(digits, "test")
    found = runexp.load_model(digits.folder).predict(pixels[rows]).only
    assert np.mean(found.labels == labels[rows]) == digits.results["test"].numbers["accuracy"]
    chosen = np.log(found.probabilities[np.arange(len(rows)), labels[rows]])
    assert -chosen.mean() == pytest.approx(digits.results["test"].numbers["ce"], abs=1e-6)
    assert found.classes == tuple("0123456789")


def test_any_kind_of_table_gives_the_same(digits):
    model = runexp.load_model(digits.folder)
    frame = load_digits(as_frame=True).data
    own = model.predict(frame).only.values
    shuffled = frame[frame.columns[::-1]].assign(unrelated="x")
    tables = [pa.Table.from_pandas(shuffled), frame.to_numpy(), {name: frame[name].to_numpy() for name in frame}]
    for table in tables:
        assert (model.predict(table).only.values == own).all()
    assert model.predict(frame, chunk=7).only.values == pytest.approx(own, abs=1e-5)


def test_a_target_that_was_transformed_comes_back_in_its_own_units(regression):
    frame, truth = load_diabetes(return_X_y=True, as_frame=True)
    rows = _rows(regression, "test")
    found = runexp.load_model(regression.folder).predict(frame.iloc[rows])
    assert mean_absolute_error(truth.iloc[rows], found.only.values) == pytest.approx(
        regression.results["test"].numbers["mae"], rel=1e-6
    )
    assert list(found.to_pandas().columns) == ["head"]


def test_words_are_coded_and_named_as_they_were(tmp_path):
    rng = np.random.default_rng(0)
    kind = rng.choice(["red", "green", "blue"], 120)
    frame = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120), "kind": kind})
    frame["answer"] = np.where(kind == "red", "yes", "no")
    frame.to_csv(tmp_path / "rows.csv", index=False)
    run = _run(tmp_path, WORDS)
    model = runexp.load_model(run.folder)
    (tmp_path / "rows.csv").unlink()  # nothing of the data is needed any more
    rows = _rows(run, "test")
    found = model.predict(frame.drop(columns="answer").iloc[rows])
    assert np.mean(found.only.labels == frame["answer"].to_numpy()[rows]) == run.results["test"].numbers["accuracy"]
    assert set(found.only.labels) <= {"yes", "no"}
    assert found.to_arrow().column_names == ["head.class", "head.probability.no", "head.probability.yes"]


def test_loading_draws_no_random_number(digits):
    before = torch.get_rng_state()
    runexp.load_model(digits.folder)
    assert torch.equal(before, torch.get_rng_state())


def test_other_nodes_can_be_asked(digits):
    model = runexp.load_model(digits.folder, nodes=["encoder", "head"])
    found = model.predict(load_digits().data[:5])
    assert found["encoder"].values.shape == (5, 16)
    with pytest.raises(runexp.CannotLoad, match="no node `haed`; nodes: encoder, head"):
        runexp.load_model(digits.folder, nodes=["haed"])


def test_a_column_that_is_missing_is_named(digits):
    frame = load_digits(as_frame=True).data.drop(columns="pixel_3_3")
    with pytest.raises(runexp.SpecError, match="the table has no column `pixel_3_3`"):
        runexp.load_model(digits.folder).predict(frame)


def test_a_bundle_is_all_it_takes_and_is_checked(regression, tmp_path):
    frame = load_diabetes(as_frame=True).data
    own = runexp.load_model(regression.folder).predict(frame).only.values
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    told = write_bundle(regression.folder, bundle, nodes=None)
    assert [one["column"] for one in told["signature"]["inputs"]][:3] == ["age", "bmi", "bp"]
    moved = shutil.move(bundle, tmp_path / "moved")
    assert (runexp.load_model(moved).predict(frame).only.values == own).all()
    assert not list(moved.rglob("*.pkl")) and not list(moved.rglob("*.pt"))
    weights = moved / "checkpoints" / "final" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(runexp.CannotLoad, match=r"weights\.safetensors .* is not what was written"):
        runexp.load_model(moved)


def test_the_estimators_and_modules_are_there_to_be_used(regression):
    model = runexp.load_model(regression.folder)
    assert model.estimators["pca"].n_components_ == 3
    assert not model.modules["head"].training


def test_a_checkpoint_can_be_named_and_one_that_is_not_there_says_what_there_is(digits):
    with pytest.raises(runexp.CannotLoad, match="no whole checkpoint `train/best`; there are final"):
        runexp.load_model(digits.folder, checkpoint="train/best")


def test_every_plan_comes_back_from_its_json(root):
    for name in ("char_transformer", "cross_validation", "triplets"):
        path = root / "specs" / f"{name}.yaml"
        plan = check(path).plan
        assert load_plan(json.loads(json.dumps(dump(plan)))) == plan, path.name
