"""S-03, S-19: metrics are in the target's own units, losses in those that are learned, and the results say so."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score

from runexp.api.checking import check
from runexp.api.running import Place, build, run
from runexp.diagnostics import Severity, SpecError
from runexp.report.results import render_results

HEAD = """\
runexp: 1
name: units
seed: 2
data:
  t:
    source: t.csv
    features: {{x: [a, b]}}
    targets: {{price: price, age: age}}
    splits: {{column: part}}
    transforms:
{transforms}
"""
RIDGE = """\
nodes:
  line: {inputs: t.x, use: sklearn.linear_model.Ridge, method: predict}
phases:
  fit: {kind: fit, nodes: [line], targets: {line: targets.price}, split: train}
  test:
    kind: eval
    split: test
    metrics:
      - {use: mae, node: line, inputs: [outputs, targets.price]}
      - {use: r2, node: line, inputs: [outputs, targets.price]}
"""
STANDARD = "      - {on: price, use: standard_scaler}"


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 90)).round(4)
    price = np.exp(3 + 0.4 * a - 0.2 * b + 0.1 * rng.normal(size=90)).round(4)
    age = (40 + 5 * b + rng.normal(size=90)).round(4)
    part = np.where(np.arange(90) < 60, "train", "test")
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["a", "b", "price", "age", "part"], *zip(a, b, price, age, part, strict=True)])
    return {"x": np.stack([a, b], 1).astype(np.float32), "price": price, "age": age}


def checked(folder: Path, transforms: str, rest: str):
    (folder / "spec.yaml").write_text(HEAD.format(transforms=transforms) + rest)
    return check(folder / "spec.yaml")


def finished(folder: Path, transforms: str, rest: str):
    found = checked(folder, transforms, rest)
    assert not [one for one in found.diagnostics if one.code != "unused-definition"]
    return run(found, Place(at=folder / "run"), watch=lambda live: ())


def numbers(folder, phase="test"):
    return json.loads((folder / "run" / "summary.json").read_text())["metrics"][phase]


CHAINS = {
    "standard": (STANDARD, lambda y: (y - y[:60].mean()) / y[:60].std(), lambda s, y: s * y[:60].std() + y[:60].mean()),
    "log, then standard": (
        "      - {on: price, use: function_transformer, with: {func: numpy.log, inverse_func: numpy.exp}}\n" + STANDARD,
        lambda y: (np.log(y) - np.log(y[:60]).mean()) / np.log(y[:60]).std(),
        lambda s, y: np.exp(s * np.log(y[:60]).std() + np.log(y[:60]).mean()),
    ),
}


@pytest.mark.parametrize("chain", CHAINS)
def test_s03_a_metric_of_a_transformed_target_is_what_scikit_learn_gives_in_its_own_units(tmp_path, table, chain):
    written, forth, back = CHAINS[chain]
    finished(tmp_path, written, RIDGE)
    y = table["price"]
    ridge = Ridge().fit(table["x"][:60], forth(y)[:60])
    predicted = back(ridge.predict(table["x"][60:]), y)
    assert numbers(tmp_path)["mae"] == pytest.approx(mean_absolute_error(y[60:], predicted), rel=1e-4)
    assert numbers(tmp_path)["r2"] == pytest.approx(r2_score(y[60:], predicted), rel=1e-3)


TWO_HEADS = """\
nodes:
  one: {inputs: t.x, use: torch.nn.Linear, with: {out_features: 1}, init: zeros}
  two: {inputs: t.x, use: torch.nn.Linear, with: {out_features: 1}, init: zeros}
losses:
  price: {node: one, use: mse, inputs: [outputs, targets.price]}
  age: {node: two, use: mse, inputs: [outputs, targets.age]}
metrics:
  mae_price: {use: mae, node: one, inputs: [outputs, targets.price]}
  mae_age: {use: mae, node: two, inputs: [outputs, targets.age]}
  mae_age_scaled: {use: mae, node: two, inputs: [outputs, targets.age], units: transformed}
phases:
  test: {kind: eval, split: test, losses: [price, age], metrics: [mae_price, mae_age, mae_age_scaled]}
"""
BOTH = "      - {on: [price, age], use: standard_scaler}"


def test_s03_each_of_two_heads_is_taken_back_by_its_own_target(tmp_path, table):
    finished(tmp_path, BOTH, TWO_HEADS)
    found = numbers(tmp_path)
    for name in ("price", "age"):  # heads of zeros predict the mean of the training rows
        expected = np.abs(table[name][60:] - table[name][:60].mean()).mean()
        assert found[f"mae_{name}"] == pytest.approx(expected, rel=1e-5)
    assert found["mae_age_scaled"] == pytest.approx(found["mae_age"] / table["age"][:60].std(), rel=1e-5)


def test_s03_the_results_say_which_numbers_are_in_which_units(tmp_path, table):
    done = finished(tmp_path, BOTH, TWO_HEADS)
    units = json.loads((tmp_path / "run" / "summary.json").read_text())["units"]["test"]
    assert units == {
        **dict.fromkeys(["price", "age", "loss", "mae_age_scaled"], "transformed"),
        **dict.fromkeys(["mae_price", "mae_age"], "original"),
    }
    shown = render_results(done.results, console_width=200, color=False, units=done.units)
    assert (
        "mae_price, mae_age in the target's own units · price, age, loss, mae_age_scaled in transformed units" in shown
    )


def test_s03_a_target_that_no_transform_changes_has_no_units_to_tell(tmp_path, table):
    finished(tmp_path, "      - {on: x, use: standard_scaler}", TWO_HEADS)
    assert "units" not in json.loads((tmp_path / "run" / "summary.json").read_text())


LOSSY = "      - {on: price, use: function_transformer, with: {func: numpy.log}}"


def test_s03_a_transform_without_a_way_back_is_warned_of_and_the_metric_stays_as_it_is_learned(tmp_path, table):
    found = checked(tmp_path, LOSSY, RIDGE).diagnostics
    assert {(one.code, one.severity) for one in found} == {("no-inverse", Severity.WARNING)}
    run(checked(tmp_path, LOSSY, RIDGE), Place(at=tmp_path / "run"), watch=lambda live: ())
    y = np.log(table["price"])
    predicted = Ridge().fit(table["x"][:60], y[:60]).predict(table["x"][60:])
    assert numbers(tmp_path)["mae"] == pytest.approx(mean_absolute_error(y[60:], predicted), rel=1e-4)


def test_s03_a_prediction_from_where_there_is_no_way_back_makes_no_number_up(tmp_path, table):
    power = "      - {on: price, use: power_transformer, with: {method: box-cox}}"
    rest = RIDGE.replace(
        "use: sklearn.linear_model.Ridge, method: predict", "use: torch.nn.Linear, with: {out_features: 1}"
    )
    rest = rest.replace("  fit: {kind: fit, nodes: [line], targets: {line: targets.price}, split: train}\n", "")
    wild = checked(tmp_path, power, rest)
    runtime = build(wild)
    (power,) = runtime.sets["t"].transformers("price")
    with torch.no_grad():
        runtime.graph.modules["line"].bias.fill_(-1e6 * np.sign(power.lambdas_[0]))
    program = runtime.open_eval(wild.linked.phase("test"))
    for batch in program.draw():
        program.step(SimpleNamespace(batches=batch))
    assert np.isnan(program.finish()["mae"])


TEN_CLASSES = """\
runexp: 1
name: digits
seed: 1
data:
  d:
    source: sklearn.datasets.load_digits
    features: {x: pixel_*}
    targets: {label: target}
    splits: {train: 0.8, test: 0.2, stratify_by: label}
nodes: {n: {inputs: d.x, use: torch.nn.Linear, with: {out_features: 10}}}
losses: {ce: {node: n, use: cross_entropy}}
phases:
  train: {kind: train, epochs: 1, losses: [ce], optimizer: {use: sgd, with: {lr: 0.1}}}
  test: {kind: eval, split: test, losses: [ce], metrics: [accuracy, METRIC]}
"""


@pytest.mark.parametrize("metric", ["roc_auc", "mae"])
def test_s19_a_metric_that_cannot_work_on_the_classes_is_found_before_training(tmp_path, metric):
    (tmp_path / "spec.yaml").write_text(TEN_CLASSES.replace("METRIC", metric))
    with pytest.raises(SpecError) as refused:
        run(check(tmp_path / "spec.yaml"), Place(at=tmp_path / "run"), watch=lambda live: ())
    (found,) = refused.value.diagnostics
    assert (found.code, found.path) == ("undefined-metric", "phases.test.metrics[1]")
    assert not (tmp_path / "run").exists()


def test_s19_what_training_may_mend_is_not_refused_before_it(tmp_path, table):
    """A network that has learned nothing gives negative numbers, which this metric does not take."""
    rest = TWO_HEADS.replace("mae_price: {use: mae,", "mae_price: {use: sklearn.metrics.mean_poisson_deviance,")
    found = checked(tmp_path, "      - {on: x, use: standard_scaler}", rest.replace("init: zeros", "init: uniform"))
    runtime = build(found)
    with torch.no_grad():
        runtime.graph.modules["one"].bias.fill_(-1e3)
    runtime.rehearse(found.linked.phases)


@pytest.mark.parametrize("metric", ["f1_macro", "log_loss", "{use: top_k_accuracy, with: {k: 3}}"])
def test_s19_metrics_that_work_on_all_rows_are_not_refused_for_a_few(tmp_path, metric):
    (tmp_path / "spec.yaml").write_text(TEN_CLASSES.replace("METRIC", metric))
    build(check(tmp_path / "spec.yaml"))
