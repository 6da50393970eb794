"""Metrics of torchmetrics: the numbers scikit-learn gives, whatever the chunks (S-19)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import runexp
from runexp.diagnostics import SpecError

CLASSES = """
runexp: 1
name: classes
seed: 3
data:
  wine:
    source: sklearn.datasets.load_wine
    features: {x: [alcohol, hue, proline]}
    targets: {label: target}
    splits: {train: 0.5, test: 0.5}
    transforms: [{on: x, use: sklearn.preprocessing.StandardScaler}]
nodes:
  head: {inputs: wine.x, use: torch.nn.Linear, with: {out_features: 3}}
losses: {ce: {node: head, use: cross_entropy}}
phases:
  train: {kind: train, epochs: 1, losses: [ce], optimizer: {use: sgd, with: {lr: 0.05}}}
  test: {kind: eval, split: test, losses: [ce], batch_size: %d, metrics: [%s]}
"""

NUMBERS = """
runexp: 1
name: numbers
data:
  diabetes:
    source: sklearn.datasets.load_diabetes
    features: {x: [age, bmi, bp]}
    targets: {progress: target}
    splits: {train: 0.5, test: 0.5}
    transforms: [{on: progress, use: sklearn.preprocessing.StandardScaler}]
nodes:
  head: {inputs: diabetes.x, use: sklearn.linear_model.Ridge, with: {alpha: 1.0}}
phases:
  fit: {kind: fit, nodes: [head]}
  test: {kind: eval, split: test, batch_size: %d, metrics: [%s]}
"""

TORCH = (
    "{use: torchmetrics.Accuracy, with: {task: multiclass}}, "
    "{use: torchmetrics.F1Score, with: {task: multiclass, average: macro}}, "
    "{use: torchmetrics.CohenKappa, with: {task: multiclass}}"
)
SKLEARN = "accuracy, f1_macro, {use: sklearn.metrics.cohen_kappa_score}"


def numbers_of(folder: Path, text: str) -> dict[str, float]:
    path = folder / "spec.yaml"
    path.write_text(text)
    run = runexp.compile(runexp.load(path)).run(runs=folder / "runs")
    return dict(run.results["test"].numbers)


def test_s19_torchmetrics_gives_what_scikit_learn_gives_whatever_the_chunks(tmp_path):
    ours = numbers_of(tmp_path, CLASSES % (1024, SKLEARN))
    for size in (1024, 7):
        theirs = numbers_of(tmp_path, CLASSES % (size, TORCH))
        assert theirs["Accuracy"] == pytest.approx(ours["accuracy"], abs=1e-6)
        assert theirs["F1Score"] == pytest.approx(ours["f1_macro"], abs=1e-6)
        assert theirs["CohenKappa"] == pytest.approx(ours["cohen_kappa_score"], abs=1e-6)


@pytest.mark.parametrize("size", [1024, 5])
def test_a_number_is_judged_in_the_targets_own_units(tmp_path, size):
    found = numbers_of(tmp_path, NUMBERS % (size, "mae, {use: torchmetrics.MeanAbsoluteError}"))
    assert found["MeanAbsoluteError"] == pytest.approx(found["mae"], rel=1e-5)
    assert found["mae"] > 10  # of a score from 25 to 346, not of one between -2 and 2


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("{use: torchmetrics.ConfusionMatrix, with: {task: multiclass}}", "several numbers"),
        ("{use: torchmetrics.MeanSquaredError}", "same shape"),
    ],
)
def test_what_is_not_one_number_is_told_at_its_line_before_anything_runs(tmp_path, metric, told):
    with pytest.raises(SpecError) as caught:
        numbers_of(tmp_path, CLASSES % (1024, metric))
    (found,) = caught.value.diagnostics
    assert found.code == "undefined-metric"
    assert told in found.message
    assert found.span.line == 17
    assert not (tmp_path / "runs").exists()


def test_where_torchmetrics_is_missing_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    with pytest.raises(SpecError) as caught:
        numbers_of(tmp_path, CLASSES % (1024, TORCH))
    assert {(one.code, one.help) for one in caught.value.diagnostics} == {
        ("unknown-use", "`pip install 'runexp[metrics]'`")
    }
