"""Mistakes that people make in their first specs: one message each, and help that mends it."""

from __future__ import annotations

import pytest

from runexp.api.checking import check
from runexp.api.deep import check_deep
from runexp.diagnostics import nearest

HEADER = "age,income,town,bought\n"
TABLE = HEADER + "".join(f"{20 + row},{row % 7}.5,{'Ulm' if row % 3 else 'Bonn'},{row % 2}\n" for row in range(60))
SPEC = """\
runexp: 1
name: shop
data:
  d:
    source: t.csv
    features:
      num: [age, income]
      town: {columns: town, categorical: one_hot, unknown: other}
    targets: {y: bought}
    splits: {train: 0.6, val: 0.2, test: 0.2, stratify_by: y}
nodes:
  pca: {inputs: d.num, use: pca, with: {n_components: 2}}
  both: {inputs: [pca, d.town], merge: concat}
  body:
    inputs: both
    layers:
      - torch.nn.Linear: {out_features: 8}
      - torch.nn.ReLU
  head: {inputs: body, use: linear, with: {out_features: 2}}
losses:
  ce: {node: head, use: cross_entropy}
callbacks:
  check: {use: evaluation, split: val, losses: [ce], metrics: [accuracy]}
  stop: {use: early_stopping, monitor: val_loss, patience: 2, restore_best: true}
phases:
  fit: {kind: fit, nodes: [pca]}
  turns:
    kind: group
    repeat: [{lr: 1e-2}, {lr: 1e-3}]
    phases:
      train:
        kind: train
        batches: {size: 16}
        epochs: 3
        losses: [ce]
        optimizer: {use: adamw, with: {lr: "${each.lr}"}}
        callbacks: [check, stop]
  test: {kind: eval, split: test, losses: [ce], metrics: [accuracy]}
"""
LINEAR = "- torch.nn.Linear: {out_features: 8}"
WHERE = "splits: {train: 0.6, val: 0.2, test: 0.2, stratify_by: y}"
TURNS = "where: {train: {age: {lt: 50}}, val: {age: {ge: 50, lt: 60}}, test: {age: %s}}"
FIT = "  fit: {kind: fit, nodes: [pca]}\n"
TEST = "  test: {kind: eval"


def the_one(folder, *changes, table=TABLE, deep=False):
    text = SPEC
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "spec.yaml").write_text(text)
    (folder / "t.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    checked = check(folder / "spec.yaml")
    found = check_deep(checked).checked.diagnostics if deep else checked.diagnostics
    assert [one.code for one in found][1:] == [], [one.message for one in found]
    return found[0] if found else None


def test_the_spec_without_mistakes_has_none(tmp_path):
    assert the_one(tmp_path) is None
    assert the_one(tmp_path, deep=True) is None


@pytest.mark.parametrize(
    ("changes", "code", "says", "helps"),
    [
        pytest.param(
            [(LINEAR, "- torch.nn.Linear:\n        out_features: 8\n        bias: false")],
            "wrong-value",
            "`out_features` stands beside `torch.nn.Linear`, and not below it",
            "`torch.nn.Linear: {out_features: 8}`",
            id="arguments of a layer beside its name",
        ),
        pytest.param(
            [("adamw, with: {lr: ", "adamw, lr: "), ('lr}"}}', 'lr}"}')],
            "unknown-key",
            "no key `lr`",
            "stand under `with: {lr: …}`",
            id="an argument beside use",
        ),
        pytest.param([("{size: 16}", "16")], "wrong-type", "not `16`", "write `{size: 16}`", id="a bare batch size"),
        pytest.param([("{size: 16}", "{batch_size: 16}")], "unknown-key", "", "did you mean `size`?", id="batch_size"),
        pytest.param(
            [("with: {lr: ", "with: {learning_rate: ")],
            "unknown-parameter",
            "",
            "did you mean `lr`?",
            id="learning_rate",
        ),
        pytest.param([("val_loss", "val_acc")], "unknown-monitor", "", "mean `val_accuracy`?", id="val_acc"),
        pytest.param([("torch.nn.Linear", "nn.Linear")], "unknown-use", "", "mean `torch.nn.Linear`?", id="nn.Linear"),
        pytest.param(
            [("epochs: 3", 'epochs: "3"')], "wrong-type", 'the text `"3"`', "leave out the quotes: `3`", id="in quotes"
        ),
        pytest.param(
            [("runexp: 1", 'runexp: "1"')], "unknown-word", 'text `"1"`', "quotes: `1`", id="version in quotes"
        ),
        pytest.param([("best: true", "best: yes")], "wrong-type", "not `yes`", "write `true`", id="yes"),
        pytest.param([("t.csv", "t.xlsx")], "unknown-source", "`t.xlsx` is a file", ".parquet", id="a spreadsheet"),
        pytest.param(
            [(WHERE, f"splits: {{{TURNS % 60}}}")], "wrong-type", "", "write `{eq: 60}`", id="a bare condition"
        ),
        pytest.param(
            [("entropy}", "entropy, inputs: [output, targets.y]}")],
            "unknown-reference",
            "",
            "did you mean `outputs`?",
            id="output",
        ),
        pytest.param(
            [("entropy}", "entropy, inputs: [outputs, target.y]}")],
            "unknown-reference",
            "",
            "did you mean `targets.y`?",
            id="target.y",
        ),
        pytest.param(
            [("entropy}", "entropy, weight: high}")],
            "wrong-type",
            "a number",
            "train_loss`; keys",
            id="a word as weight",
        ),
        pytest.param(
            [("patience: 2", "patiense: 2")], "unknown-key", "", "mean `patience`?", id="an option of a callback"
        ),
        pytest.param([(FIT, ""), (TEST, FIT + TEST)], "unfitted-node", "no phase before", "", id="fitted too late"),
        pytest.param([("[pca]}", "[head]}")], "wrong-node", "is a torch module", "", id="a module fitted"),
        pytest.param(
            [("{lr: 1e-3}", "{rate: 1e-3}")],
            "unknown-variable",
            "an item of this repeat has no `lr`",
            "rate",
            id="an item that lacks a value",
        ),
        pytest.param([("{lr: ", "{<<: *base, lr: ")], "unknown-anchor", "no anchor `&base`", "", id="no such anchor"),
        pytest.param(
            [('"${each.lr}"', ".inf")], "bad-value", "`lr` of `AdamW` cannot be", "above 0", id="an endless rate"
        ),
        pytest.param(
            [("        losses", "        freeze: [body, head]\n        losses")],
            "nothing-to-do",
            "nothing to train",
            "",
            id="all is frozen, but for a merge",
        ),
    ],
)
def test_a_first_mistake_is_one_message_with_help(tmp_path, changes, code, says, helps):
    found = the_one(tmp_path, *changes)
    assert (found.code, found.span is not None) == (code, True)
    assert says in found.message
    assert helps in found.help


OWN = [("use: linear", "use: mine.Head"), ("use: cross_entropy", "use: mine.Loss")]


def test_code_that_no_import_allows_is_one_mistake_however_often_it_is_named(tmp_path):
    assert the_one(tmp_path, *OWN).help.endswith("`imports: [mine]`")


def test_a_module_that_is_not_there_is_one_mistake_however_often_it_is_named(tmp_path):
    found = the_one(tmp_path, *OWN, ("runexp: 1", "runexp: 1\nimports: [mine]"))
    assert found.message == "there is no module `mine`"


def test_a_misspelled_module_is_told_from_the_one_that_is_allowed(tmp_path):
    (tmp_path / "mine.py").write_text("def loss(outputs, targets):\n    return outputs.mean()\n")
    changes = [("use: cross_entropy", "use: mien.loss"), ("runexp: 1", "runexp: 1\nimports: [mine]")]
    assert the_one(tmp_path, *changes).help == "did you mean `mine.loss`?"


def test_a_table_divided_by_semicolons_is_one_mistake_and_not_one_a_column(tmp_path):
    found = the_one(tmp_path, table=TABLE.replace(",", ";"))
    assert (found.code, found.path) == ("unreadable-file", "data.d.source")
    assert "divided by ';'" in found.message


def test_one_misspelled_sampler_is_not_a_role_missing_as_well(tmp_path):
    changes = [
        ("losses:\n  ce", "samplers:\n  p: {use: pairs, match: {y: {same: true}}}\nlosses:\n  ce"),
        ("entropy}", "entropy, inputs: [outputs.anchor, targets.y.anchor]}"),
        ("{size: 16}", "q"),
        ("callbacks: [check, stop]", "nodes: [body, head]"),
        (SPEC[SPEC.index(TEST) :], ""),
        (SPEC[SPEC.index("callbacks:\n  check") : SPEC.index("phases:")], ""),
    ]
    assert the_one(tmp_path, *changes).code == "unknown-sampler"


def rows(change):
    lines = TABLE.splitlines()
    return "\n".join([lines[0], *(change(number, line) for number, line in enumerate(lines[1:]))]) + "\n"


@pytest.mark.parametrize(
    ("changes", "table", "code", "helps"),
    [
        pytest.param(
            [], rows(lambda at, line: line.replace(",0.5,", ",,")), "missing-values", "simple_imputer", id="gaps"
        ),
        pytest.param(
            [("[age, income]", "[age, town]")], TABLE, "non-numeric-column", "categorical: one_hot", id="words"
        ),
        pytest.param(
            [("[age, income]", "[age, town]"), ("columns: town", "columns: income")],
            rows(lambda at, line: line.replace("Ulm", "2024-01-02").replace("Bonn", "2024-01-03")),
            "non-numeric-column",
            "dates: days",
            id="dates",
        ),
        pytest.param(
            [],
            rows(lambda at, line: line[:-1] + str(2 * int(line[-1]) - 1)),
            "wrong-classes",
            "ordinal",
            id="labels -1 and 1",
        ),
        pytest.param(
            [(WHERE, f"splits: {{{TURNS % '{ge: 600}'}}}")], TABLE, "empty-split", "no row meets", id="no row meets it"
        ),
        pytest.param([], TABLE.encode("utf-16"), "unreadable-file", "", id="UTF-16"),
        pytest.param(
            [(LINEAR, "- torch.nn.Conv2d: {out_channels: 2, kernel_size: 1}")],
            TABLE,
            "shape-mismatch",
            "images are (channels, height, width)",
            id="an image layer on columns",
        ),
    ],
)
def test_a_first_mistake_in_the_data_is_one_message_with_help(tmp_path, changes, table, code, helps):
    found = the_one(tmp_path, *changes, table=table, deep=True)
    assert (found.code, found.span is not None) == (code, True)
    assert helps in found.help


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("test.acc", ["test.ce", "test.accuracy", "test.loss"], "test.accuracy"),
        ("val_acc", ["val_ce", "val_accuracy"], "val_accuracy"),
        ("acc", ["accuracy_a", "accuracy_b"], None),
        ("ac", ["accumulate", "losses"], None),
        ("batch_size", ["size", "shuffle"], "size"),
        ("learning_rate", ["lr", "betas"], "lr"),
        ("epoch", ["epochs", "every_n_epochs"], "epochs"),
    ],
)
def test_the_nearest_name_is_the_only_one_that_begins_so_or_that_is_a_word_of_it(word, known, meant):
    assert nearest(word, known) == meant
