"""Cross-validation gives the numbers that scikit-learn documents, and those of plain hand-written loops."""

from __future__ import annotations

import json
import os
from pathlib import Path
from textwrap import dedent

import pytest

from runexp.api.checking import check
from runexp.api.running import Place, run

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("RUNEXP_SHARED", HERE.parents[2] / "shared")).resolve()
TRACES = SHARED / "acceptance" / "exact_traces.json"

IRIS = """\
runexp: 1
name: iris
execution: {threads: 1, device: cpu}
data:
  iris:
    source: sklearn.datasets.load_iris
    features: {x: {columns: ["sepal*", "petal*"], dtype: float64}}
    targets: {y: target}
"""


def folds(path, text, **overrides):
    path.write_text(text, encoding="utf-8")
    checked = check(path, overrides=[f"{key}={value}" for key, value in overrides.items()])
    assert checked.is_valid, [str(found) for found in checked.diagnostics]
    finished = run(checked, Place(at=path.parent / "run"), watch=lambda live: ())
    assert finished.status == "completed"
    return finished.results.cv


def test_a_support_vector_classifier_on_stratified_folds_of_iris(tmp_path):
    """The figures of scikit-learn's user guide on cross-validation (S-45)."""
    text = IRIS + dedent("""\
        nodes:
          svc: {inputs: iris.x, use: sklearn.svm.SVC, with: {C: 1, kernel: linear, random_state: 42}}
        phases:
          fit: {kind: fit, nodes: [svc]}
          score: {kind: eval, split: val, metrics: [accuracy, f1_macro]}
        cv: {folds: 5, shuffle: false, data: {iris: {stratify_by: y}}}
        """)
    found = folds(tmp_path / "iris.yaml", text)
    two_thirds = 29 / 30
    assert list(found.numbers("score.accuracy").values()) == pytest.approx([two_thirds, 1, two_thirds, two_thirds, 1])
    f1 = [0.96658, 1, 0.96658, 0.96658, 1]
    assert list(found.numbers("score.f1_macro").values()) == pytest.approx(f1, abs=5e-6)
    assert found.spread("score.accuracy").mean == pytest.approx(0.98)


def test_a_scaler_and_a_classifier_on_shuffled_splits_of_iris(tmp_path):
    """The figures of scikit-learn's user guide for a pipeline in `ShuffleSplit`: the scaler learns from each part."""
    text = (
        IRIS
        + "    transforms: [{on: x, use: standard_scaler}]\n"
        + dedent("""\
        nodes:
          svc: {inputs: iris.x, use: sklearn.svm.SVC, with: {C: 1}}
        phases:
          fit: {kind: fit, nodes: [svc]}
          score: {kind: eval, split: val, metrics: [accuracy]}
        cv: {folds: {use: shuffle_split, with: {n_splits: 5, test_size: 0.3, random_state: 0}}}
        """)
    )
    found = folds(tmp_path / "iris.yaml", text)
    assert [round(value, 3) for value in found.numbers("score.accuracy").values()] == [
        0.978, 0.933, 0.956, 0.933, 0.978,
    ]  # fmt: skip


def test_a_lasso_on_three_folds_of_diabetes(tmp_path):
    """The figures of scikit-learn's `cross_validate` on the first 150 rows."""
    text = """\
        runexp: 1
        name: diabetes
        data:
          diabetes:
            source: sklearn.datasets.load_diabetes
            features: {x: {columns: [age, sex, bmi, bp, "s?"], dtype: float64}}
            targets: {y: {columns: target, dtype: float64}}
            splits: {order: true, first: 0.339366515837, rest: 0.660633484163}
        nodes:
          lasso: {inputs: diabetes.x, use: sklearn.linear_model.Lasso}
        phases:
          fit: {kind: fit, nodes: [lasso]}
          score: {kind: eval, split: val, metrics: [r2]}
        cv: {folds: 3, shuffle: false, data: {diabetes: {pool: [first]}}}
        """
    found = folds(tmp_path / "diabetes.yaml", dedent(text))
    assert [facts.n_train + facts.n_held_out for facts in found.facts] == [150, 150, 150]
    expected = [0.3315057, 0.08022103, 0.03531816]
    assert list(found.numbers("score.r2").values()) == pytest.approx(expected, abs=1e-7)


@pytest.mark.skipif(not TRACES.is_file(), reason=f"needs {TRACES} (set RUNEXP_SHARED)")
def test_folds_by_a_column_are_reproduced_and_their_scaler_does_not_leak(tmp_path, monkeypatch):
    """T13: validation losses of five folds, the scaler refitted in each; not those of one scaler for all (S-03)."""
    monkeypatch.setenv("RUNEXP_SHARED", str(SHARED))
    expected = json.loads(TRACES.read_text())["T13_cv_fold_column"]
    finished = run(check(HERE / "t13_folds.yaml"), Place(at=tmp_path / "run"), watch=lambda live: ())
    losses = list(finished.results.cv.numbers("val.loss").values())
    assert losses == pytest.approx(expected["val_loss"], abs=1e-5)
    assert losses != pytest.approx(expected["LEAKY_scaler_on_all_rows_val_loss"], abs=1e-5)
    assert list(finished.results.cv.numbers("val.accuracy").values()) == pytest.approx(expected["val_acc"], abs=1e-5)
    assert finished.results.cv.spread("val.loss").mean == pytest.approx(expected["mean_val_loss"], abs=1e-5)
