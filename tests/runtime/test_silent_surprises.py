"""What would give a wrong number without a word is refused, or right."""

from __future__ import annotations

import random

import pytest

from runexp.api.checking import check
from runexp.api.experiment import Experiment
from runexp.diagnostics import SpecError

SIDE_BY_SIDE = """\
runexp: 1
name: side-by-side
data:
  a: {{source: table.csv, features: {{x: income}}, {splits_of_a}}}
  b: {{source: table.csv, features: {{y: income}}, targets: {{t: t}}, splits: {{train: 0.7, test: 0.3}}}}
nodes: {{line: {{inputs: a.x, use: torch.nn.Linear, with: {{out_features: 1}}}}}}
losses: {{mse: {{node: line, use: mse, inputs: [outputs, b.t]}}}}
phases:
  train: {{kind: train, epochs: 200, batches: {{size: 16}}, losses: [mse], optimizer: {{use: adam, with: {{lr: 0.1}}}}}}
  test: {{kind: eval, split: test, losses: [mse]}}
"""


@pytest.fixture
def table(tmp_path):
    chance = random.Random(0)
    incomes = [chance.random() for _ in range(80)]
    kinds = ["low" if income < 0.5 else "high" for income in incomes]
    rows = [f"{income},{2 * income + 1},{kind}" for income, kind in zip(incomes, kinds, strict=True)]
    (tmp_path / "table.csv").write_text("income,t,kind\n" + "\n".join(rows) + "\n")
    return tmp_path


def _finished(folder, text):
    (folder / "spec.yaml").write_text(text)
    return Experiment(check(folder / "spec.yaml").require()).run(runs=folder / "runs")


def test_sets_divided_by_the_same_shares_stand_side_by_side_row_by_row(table):
    finished = _finished(table, SIDE_BY_SIDE.format(splits_of_a="splits: {train: 0.7, test: 0.3}"))
    assert finished.results.summary()["test"]["loss"] < 1e-3


def test_sets_with_other_rows_in_a_split_are_refused(table):
    with pytest.raises(SpecError) as refused:
        _finished(table, SIDE_BY_SIDE.format(splits_of_a="splits: {train: 0.7, test: 0.3, order: income}"))
    assert {one.code for one in refused.value.diagnostics} == {"unaligned-data"}


ONE_NODE = """\
runexp: 1
name: one-node
data:
  d: {{source: table.csv, features: {{x: income}}, targets: {{kind: kind}}, splits: {{train: 0.7, test: 0.3}}}}
nodes:
  h: {{inputs: d.x, use: torch.nn.Linear, with: {{out_features: 1}}}}
  p: {{inputs: h, use: torch.nn.Sigmoid}}
losses: {{judged: {{node: h, use: {loss}}}}}
phases:
  train: {{kind: train, epochs: 60, losses: [judged], optimizer: {{use: adam, with: {{lr: 0.1}}}}}}
  test: {{kind: eval, split: test, metrics: [{{use: accuracy, node: h}}]}}
  chances: {{kind: eval, split: test, metrics: [{{use: accuracy, node: p}}]}}
"""


def test_labels_from_chances_and_from_logits_are_the_same(table):
    summary = _finished(table, ONE_NODE.format(loss="bce_with_logits")).results.summary()
    assert summary["test"]["accuracy"] > 0.8
    assert summary["chances"] == summary["test"]


def test_words_are_no_numbers_to_be_near_to(table):
    with pytest.raises(SpecError) as refused:
        _finished(table, ONE_NODE.format(loss="mse"))
    assert "wrong-classes" in {one.code for one in refused.value.diagnostics}


def test_a_preview_of_a_few_steps_shows_the_learning_rates_of_the_run(root):
    spec = check(root / "specs/diabetes_regression.yaml", overrides=["phases.train.schedule.warmup_epochs=0"])
    results = Experiment(spec.require()).preview_phase("train", n_steps=3)
    rates = [rate for _, rate in results.learning_rate()]
    assert rates == pytest.approx([0.01] * 3, rel=1e-3)
