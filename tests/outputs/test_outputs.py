"""Nodes that give several outputs: each has a name, and feeds nodes, losses and metrics by it."""

from __future__ import annotations

import csv
import json
import random

import pytest
import torch
from torch import nn

from runexp.api.checking import check
from runexp.api.running import Place, run

CODE = """\
import torch

class Moments(torch.nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.mean = torch.nn.Linear(3, 1)
        self.spread = torch.nn.Linear(3, 1)

    def forward(self, inputs):
        mean, spread = self.mean(inputs), self.spread(inputs).exp()
        if self.kind == "mapping":
            return {"spread": spread, "mean": mean}
        if self.kind == "nested":
            return [(mean,), {"inner": [spread]}]
        return mean, spread
"""

SPEC = """\
runexp: 1
name: several
seed: 3
imports: [moments]
data:
  table: {source: table.csv, features: {x: [a, b, c]}, targets: {y: y}, splits: {train: 0.8, val: 0.2}}
nodes:
  body: {inputs: table.x, use: moments.Moments, with: {kind: tuple}, outputs: [mean, spread]}
losses:
  nll:
    node: body
    use: torch.nn.GaussianNLLLoss
    inputs: {input: outputs.mean, target: targets.y, var: outputs.spread}
phases:
  train: {kind: train, epochs: 3, losses: [nll], optimizer: {use: adam, with: {lr: 0.05}}}
  test: {kind: eval, split: val, losses: [nll], metrics: [mae]}
"""

STEPS = """\
runexp: 1
name: steps
seed: 3
data:
  table:
    source: table.csv
    features: {x: {columns: [a, b, c], shape: [3, 1]}}
    targets: {y: y}
nodes:
  cells: {inputs: table.x, use: torch.nn.LSTM, with: {hidden_size: 4, num_layers: 2}, outputs: [every, hidden, state]}
  head: {inputs: cells.hidden, use: torch.nn.Linear, with: {out_features: 1}}
losses: {error: {node: head, use: mse}}
phases:
  train:
    {kind: train, split: all, batches: {size: 40}, epochs: 2, losses: [error], optimizer: {use: sgd, with: {lr: 0.1}}}
  test: {kind: eval, split: all, losses: [error]}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    chance = random.Random(1)
    with (tmp_path / "table.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow("abcyk")
        for index in range(40):
            row = [round(chance.uniform(-1, 1), 3) for _ in "abc"]
            table.writerow([*row, round(sum(row), 3), index % 2])
    (tmp_path / "moments.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)


def measured(folder, text):
    (folder / "spec.yaml").write_text(text)
    finished = run(check(folder / "spec.yaml"), Place(at=folder / "run"), watch=lambda live: ())
    assert finished.status == "completed"
    numbers = json.loads((folder / "run" / "summary.json").read_text())["metrics"]
    for path in sorted((folder / "run").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    return numbers


def found(folder, old, new, text=SPEC):
    assert old in text
    (folder / "spec.yaml").write_text(text.replace(old, new))
    return [(item.code, item.path) for item in check(folder / "spec.yaml").diagnostics]


def test_a_loss_reads_several_outputs_of_its_node_and_a_metric_the_first_of_them(tmp_path):
    numbers = measured(tmp_path, SPEC)
    assert numbers["train"]["train_nll"] < 2
    assert 0 < numbers["test"]["mae"] < 2


@pytest.mark.parametrize("kind", ["mapping", "nested"])
def test_tuples_lists_and_mappings_give_the_same(tmp_path, kind):
    assert measured(tmp_path, SPEC.replace("kind: tuple", f"kind: {kind}")) == measured(tmp_path, SPEC)


def test_an_lstm_gives_its_states_row_by_row(tmp_path):
    """The numbers of the first epoch's loss are those of a loop by hand over (rows, layers x width)."""
    numbers = measured(tmp_path, STEPS.replace("epochs: 2", "epochs: 1"))
    text = STEPS.replace(
        "use: torch.nn.LSTM, with: {hidden_size: 4", "use: torch.nn.LSTM, with: {input_size: 1, hidden_size: 4"
    )
    assert measured(tmp_path, text.replace("epochs: 2", "epochs: 1")) == numbers
    rows = torch.randn(5, 3, 1)
    cells = nn.LSTM(1, 4, 2, batch_first=True)
    _, (hidden, _) = cells(rows)
    _, (alone, _) = cells(rows[:1])
    assert torch.allclose(hidden.transpose(0, 1).flatten(1)[:1], alone.transpose(0, 1).flatten(1), atol=1e-6)


def test_the_plan_and_the_preview_name_the_outputs(tmp_path):
    (tmp_path / "spec.yaml").write_text(STEPS)
    plan = check(tmp_path / "spec.yaml").require().plan
    named = {node.name: [str(feed) for feed in node.feeds] for node in plan.nodes}
    assert named["cells.hidden"] == ["cells"]
    assert named["head"] == ["cells.hidden"]
    assert plan.phases[0].trains == ("cells", "head")


def test_an_output_is_taken_for_a_role(tmp_path):
    """A siamese node with two outputs runs for each role, and each output of each call can be told (S-08)."""
    text = SPEC.replace("targets: {y: y}", "targets: {y: y, k: k}").replace(
        "nodes:", "samplers:\n  both: {use: pairs, match: {k: {same: true}}, size: 8}\nnodes:"
    )
    text = text.replace("use: torch.nn.GaussianNLLLoss", "use: mse").replace(
        "inputs: {input: outputs.mean, target: targets.y, var: outputs.spread}",
        "inputs: [outputs.mean.anchor, outputs.spread.pair]",
    )
    text = text.replace("epochs: 3,", "epochs: 3, batches: both,").replace(
        "losses: [nll], metrics: [mae]}", "losses: [nll], sampler: both}"
    )
    assert measured(tmp_path, text)["test"]["nll"] > 0


HEAD = "  head: {inputs: INPUT, use: torch.nn.Linear, with: {out_features: 1}}\nlosses:\n"


@pytest.mark.parametrize(
    ("old", "new", "code", "path"),
    [
        pytest.param("outputs.mean", "outputs", "several-outputs", "losses.nll.inputs.input", id="bare"),
        pytest.param("outputs.spread", "outputs.spraed", "unknown-reference", "losses.nll.inputs.var", id="unknown"),
        pytest.param("ead]}", "ead], chunk_size: 3}", "exclusive-keys", "nodes.body.chunk_size", id="chunks"),
        pytest.param("[mean, spread]", "[mean, spread, mean]", "name-clash", "nodes.body.outputs[2]", id="twice"),
        pytest.param("losses:\n", HEAD.replace("INPUT", "body"), "several-outputs", "nodes.head.inputs", id="feed"),
        pytest.param("losses:\n", HEAD.replace("INPUT", "body.m"), "unknown-reference", "nodes.head.inputs", id="typo"),
    ],
)
def test_mistakes_are_found_without_data(tmp_path, old, new, code, path):
    assert found(tmp_path, old, new) == [(code, path)]


def test_an_output_may_not_have_the_name_of_a_role(tmp_path):
    text = SPEC.replace("losses:\n", "samplers: {two: {use: pairs, match: {y: {same: true}}}}\nlosses:\n", 1)
    text = text.replace("outputs.mean", "outputs.pair")
    assert ("name-clash", "nodes.body.outputs[0]") in found(tmp_path, "[mean, spread]", "[pair, spread]", text)


def test_one_output_needs_no_name_where_it_is_used(tmp_path):
    text = STEPS.replace("use: torch.nn.LSTM, with: {hidden_size: 4, num_layers: 2}, outputs: [every, hidden, state]",
                         "use: torch.nn.Flatten, outputs: [flat]").replace("cells.hidden", "cells")  # fmt: skip
    assert measured(tmp_path, text)["test"]["loss"] > 0


def test_a_wrong_number_of_names_is_refused_with_the_shapes_that_there_are(tmp_path):
    (tmp_path / "spec.yaml").write_text(STEPS.replace("[every, hidden, state]", "[every, hidden]"))
    checked = check(tmp_path / "spec.yaml")
    with pytest.raises(Exception, match="gives 3 outputs, and `outputs` names 2") as raised:
        run(checked, Place(at=tmp_path / "run"), watch=lambda live: ())
    assert raised.value.diagnostics[0].label == "of two rows: (2, 3, 4), (2, 2, 4), (2, 2, 4)"


def test_rows_lie_along_the_first_axis(tmp_path):
    assert found(tmp_path, "num_layers: 2", "batch_first: false", STEPS) == [
        ("wrong-value", "nodes.cells.with.batch_first")
    ]
