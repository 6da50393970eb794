"""Code of the user's runs as the catalog's does, and what it raises is told where it was written (S-15, S-19)."""

from __future__ import annotations

import hashlib
import json
import sys

import pytest

from own_code.specs import CODE, SPEC, ran, refused, write
from runexp.api.checking import check
from runexp.api.previewing import Length, Preview
from runexp.api.running import build
from runexp.api.trust import own_modules


def number(finished, name="fit"):
    return finished.results["test"].metrics[name]


def summary(folder):
    return json.loads((folder / "summary.json").read_text())["metrics"]["test"]


def test_a_source_a_module_a_loss_and_a_metric_of_ones_own_run(home):
    assert ran(home).status == "completed"
    numbers = summary(home / "run")
    assert set(numbers) == {"loss", "fit", "worst"}
    assert numbers["worst"] ** 2 >= numbers["fit"]


@pytest.mark.parametrize(
    "written",
    ["mine.loss, with: {power: 2.0}", "mine.Distance, with: {power: 2.0}", "mine.distance, with: {power: 2.0}"],
    ids=["function", "class", "factory"],
)
def test_a_loss_is_a_function_a_class_or_a_factory(home, written):
    """S-15: the same loss written in three ways gives the same bits."""
    ran(home, name="plain")
    ran(home, SPEC.replace("mine.loss", written))
    assert summary(home / "run") == summary(home / "plain")


def test_functions_with_the_names_of_scikit_learn_are_given_outputs_and_targets_by_name(home):
    ran(home, name="plain")
    code = CODE.replace(
        "def worst(outputs, targets):", "def worst(y_true, y_pred):\n    outputs, targets = y_pred, y_true"
    )
    ran(home, code=code)
    assert summary(home / "run") == summary(home / "plain")


def test_a_metric_is_given_a_whole_split_at_once(home):
    """S-19: whatever the size of a batch."""
    spec = SPEC.replace("kind: eval,", "kind: eval, batch_size: 3,")
    code = CODE.replace("def worst(outputs, targets):", "def worst(outputs, targets):\n    return len(outputs)")
    ran(home, spec, code)
    assert summary(home / "run")["worst"] == 20


def test_a_function_can_be_a_node_or_a_transform(home):
    code = CODE + "\n\ndef double(x):\n    return 2 * x\n"
    spec = SPEC.replace("net: {", "twice: {inputs: d.x, use: mine.double}\n  net: {").replace(
        "inputs: d.x, use: mine.Net", "inputs: twice, use: mine.Net"
    )
    ran(home, spec, code, name="node")
    spec = SPEC.replace("    splits", "    transforms: [{on: x, use: mine.double}]\n    splits")
    ran(home, spec, code)
    assert summary(home / "run")["fit"] == pytest.approx(summary(home / "node")["fit"], rel=1e-5)


def test_an_estimator_and_a_transformer_of_ones_own_are_fitted(home):
    code = (
        CODE
        + '''

class Centre:
    """Rows less their mean."""
    def fit(self, x, y=None):
        self.mean_ = x.mean(axis=0)
    def transform(self, x):
        return x - self.mean_
'''
    )
    spec = SPEC.replace("    splits", "    transforms: [{on: x, use: mine.Centre}]\n    splits")
    spec = spec.replace("net: {inputs: d.x", "centre: {inputs: d.x, use: mine.Centre}\n  net: {inputs: centre")
    spec = spec.replace("  train: {", "  fit: {kind: fit, split: train, nodes: [centre]}\n  train: {")
    assert ran(home, spec, code).status == "completed"


@pytest.mark.parametrize("body", ["parameter.fill_(0.25)", "return torch.full_like(parameter, 0.25)"])
def test_a_function_of_ones_own_starts_parameters(home, body):
    code = CODE + f"\n\ndef quarter(parameter):\n    {body}\n"
    for written in ("mine.quarter", "{'*.weight': mine.quarter, '*': zeros}"):
        checked = check(write(home, SPEC.replace("with: {width: 4}}", f"with: {{width: 4}}, init: {written}}}"), code))
        with own_modules(checked):
            net = build(checked).graph.modules["net"]
        assert {value for linear in (net.inner, net.outer) for value in linear.weight.flatten().tolist()} == {0.25}


def test_an_initialiser_that_raises_is_shown_with_its_line(home):
    spec = SPEC.replace("with: {width: 4}}", "with: {width: 4}, init: mine.wrong}")
    (one,) = refused(home, spec, CODE + "\n\ndef wrong(parameter):\n    parameter.filll_(1)\n")
    assert (one.code, one.path) == ("failed-code", "nodes.net.init")
    (one,) = check(write(home, spec.replace("mine.wrong", "mine.wrnog"), CODE + "\n\ndef wrong(p): ...\n")).diagnostics
    assert one.code == "unknown-attribute"


@pytest.mark.parametrize(
    ("old", "new", "where", "says"),
    [
        pytest.param("draw = ", "draw = 1 / 0\n    draw = ", "data.d.source", "ZeroDivisionError", id="source"),
        pytest.param("self.inner = nn", "self.inner = mm", "nodes.net", "NameError: name 'mm'", id="init"),
        pytest.param("torch.tanh(self.inner(x))", "self.inner(x).T", "nodes.net", "RuntimeError: mat1", id="forward"),
        pytest.param(".pow(power)", ".power(power)", "losses.fit", "AttributeError", id="loss"),
        pytest.param("np.abs(", "exit(3) or np.abs(", "phases.test.metrics[0]", "SystemExit: 3", id="metric"),
    ],
)
def test_an_exception_in_code_of_ones_own_is_shown_with_its_line(home, old, new, where, says):
    assert old in CODE
    code = CODE.replace(old, new, 1)
    if where.startswith("phases"):
        finished = ran(home, code=code)
        assert finished.status == "failed"
        (one,) = finished.error.diagnostics
    else:
        (one,) = refused(home, code=code)
    assert (one.code, one.path) == ("failed-code", where)
    assert says in one.message
    assert one.span.file == str(home / "spec.yaml")
    place = one.related[-1].span
    line = code.splitlines()[place.line - 1]
    assert place.file == "mine.py"
    assert new.splitlines()[0].split("(")[0] in line


def test_an_exception_in_the_middle_of_a_run_fails_it_and_is_on_record(home):
    head = "def loss(outputs, targets, power: float = 2.0):\n"
    late = "    calls.append(1)\n    if len(calls) > 6: raise KeyError('late')\n"
    code = CODE.replace(head, f"calls = []\n\n\n{head}{late}")
    finished = ran(home, code=code)
    assert finished.status == "failed"
    told = json.loads((home / "run/status.json").read_text())["error"]
    assert told["where"] == "train"
    assert "`mine.loss` of `losses.fit` fails: KeyError: 'late'" in told["message"]
    assert "mine.py:27 in `loss`" in told["message"]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        pytest.param("import notinstalled\n" + CODE, "there is no module `notinstalled`", id="a missing module"),
        pytest.param("raise ValueError('no')\n" + CODE, "ValueError: no", id="an exception"),
        pytest.param("raise SystemExit\n" + CODE, "SystemExit", id="an exit"),
    ],
)  # fmt: skip
def test_a_module_that_cannot_be_imported_is_told(home, code, says):
    (one, *_) = refused(home, code=code)
    assert one.code == "failed-import"
    assert says in one.message
    assert one.related[-1].span.line == 1


@pytest.mark.parametrize(
    ("code", "use", "says"),
    [
        pytest.param("from os import system as Net\n", "mine.Net", "only imported there", id="imported"),
        pytest.param("import os\nNet = os\n", "mine.Net", "leads through the module", id="a module"),
        pytest.param("Net = 3\n", "mine.Net", "cannot be called", id="a number"),
    ],
)
def test_a_name_reaches_nothing_that_the_module_only_imported(home, code, use, says):
    (one,) = refused(home, code=CODE.replace("class Net", "class Old") + code)
    assert one.code == "failed-import"
    assert says in one.message


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (".mean()\n\n\nclass", ".mean().item()\n\n\nclass", "gives a `float`, and a loss is a tensor"),
        ("return self.outer", "return 3 or self.outer", "gives a `int`, and a node gives a tensor"),
        ("class Net(nn.Module):\n", "class Net(dict):\n    def __new__(cls, **_): return dict()\n", "makes a `dict`"),
    ],
)
def test_what_a_part_gives_is_checked(home, old, new, says):
    assert old in CODE
    (one,) = refused(home, code=CODE.replace(old, new))
    assert one.code == "failed-code"
    assert says in one.message


def test_two_specs_with_modules_of_one_name_each_have_their_own(home):
    ran(home / "one", name="run")
    ran(home / "two", code=CODE.replace("np.abs(outputs[:, 0] - targets).max()", "7.0"))
    assert summary(home / "two/run")["worst"] == 7.0
    assert summary(home / "one/run")["worst"] != 7.0
    assert "mine" not in sys.modules


def test_a_file_that_was_edited_between_two_runs_is_read_anew(home):
    ran(home, name="first")
    ran(home, code=CODE.replace("np.abs(outputs[:, 0] - targets).max()", "8.0"), name="second")
    assert summary(home / "second")["worst"] == 8.0


def test_a_module_beside_can_import_its_neighbours(home):
    (home / "helpers.py").write_text("def biggest(values):\n    return values.max()\n")
    code = "import helpers\n" + CODE.replace("np.abs(outputs[:, 0] - targets).max()", "helpers.biggest(targets)")
    assert ran(home, code=code).status == "completed"
    assert set(json.loads((home / "run/lock.json").read_text())["code"]) == {"mine", "helpers"}


def test_a_preview_leaves_nothing_behind_not_even_byte_code(home):
    checked = check(write(home))
    before = sorted(home.rglob("*"))
    preview = Preview(checked, "train")
    assert preview.run(Length(n_steps=1), watch=lambda live: ()).status == "completed"
    assert sorted(home.rglob("*")) == before


def test_the_lock_file_names_the_code_and_a_source_by_it(home):
    ran(home, name="one")
    ran(home, name="again")
    ran(home, code=CODE + "# a comment\n", name="edited")
    ran(home, SPEC.replace("n: 40", "n: 42"), name="longer")
    locks = {name: json.loads((home / name / "lock.json").read_text()) for name in ("one", "again", "edited", "longer")}
    prints = {name: lock["sources"]["d"] for name, lock in locks.items()}
    assert prints["one"] == prints["again"]
    assert len({*prints.values()}) == 3
    assert locks["one"]["code"] == {"mine": hashlib.sha256(CODE.encode()).hexdigest()}
    assert locks["edited"]["code"] != locks["one"]["code"]


@pytest.mark.parametrize(
    "body",
    [
        "((outputs - targets) ** 2).mean()",
        "torch.nn.functional.mse_loss(outputs, targets)",
        "(targets * outputs).sum()",
    ],
)
def test_a_column_against_a_row_of_numbers_is_refused(home, body):
    """(N, 1) against (N,) makes (N, N), and a wrong number without a word."""
    old = "(outputs.squeeze(1) - targets).abs().pow(power).mean()"
    (one,) = refused(home, code=CODE.replace(old, body))
    assert one.code == "shape-mismatch"
    assert "compares every row with every other" in one.message
    fine = body.replace("targets", "targets[:, None]")
    assert ran(home, code=CODE.replace(old, fine)).status == "completed"


def test_layers_nested_arguments_and_optimizers_can_be_ones_own(home):
    code = (
        CODE
        + """

class Scale(nn.Module):
    def __init__(self, by: float = 1.0):
        super().__init__()
        self.by = by

    def forward(self, x):
        return self.by * x


class Around(nn.Module):
    def __init__(self, inner, in_features: int):
        super().__init__()
        self.inner, self.outer = inner, nn.Linear(in_features, 1)

    def forward(self, x):
        return self.outer(self.inner(x))


class Plain(torch.optim.Optimizer):
    def __init__(self, params, lr: float):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter -= group["lr"] * parameter.grad
"""
    )
    layers = "layers: [mine.Scale: {by: 2.0}, mine.Scale, mine.Around: {inner: {use: mine.Scale, with: {by: 3.0}}}]"
    spec = SPEC.replace("use: mine.Net, with: {width: 4}", layers)
    ran(home, spec, code, name="torch")
    assert ran(home, spec.replace("use: sgd", "use: mine.Plain"), code).status == "completed"
    assert summary(home / "run") == pytest.approx(summary(home / "torch"), rel=1e-6)
    (one,) = check(write(home, spec.replace("{by: 3.0}", "{to: 3.0}"), code)).diagnostics
    assert (one.code, one.path) == ("unknown-parameter", "nodes.net.layers[2].mine.Around.inner.with.to")
