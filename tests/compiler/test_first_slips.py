"""Slips that people make on the first day: one message each, at its place."""

from __future__ import annotations

import pytest

from runexp.api.checking import check

SPEC = """\
runexp: 1
name: base
data:
  digits:
    source: sklearn.datasets.load_digits
    features: {pixels: pixel_*}
    targets: {label: target}
    splits: {train: 0.7, val: 0.15, test: 0.15}
nodes:
  head:
    inputs: digits.pixels
    use: torch.nn.Linear
    with: {out_features: 10}
losses:
  ce: {node: head, use: cross_entropy}
phases:
  train:
    kind: train
    epochs: 1
    losses: [ce]
    optimizer: {use: adamw, with: {lr: 0.001}}
  test: {kind: eval, split: test, losses: [ce], metrics: [accuracy]}
"""


@pytest.fixture
def found(tmp_path):
    """What is found in the spec with some of its text replaced, and overrides."""

    def find(*changes, overrides=()):
        text = SPEC
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "spec.yaml"
        path.write_text(text)
        return check(path, overrides=overrides).diagnostics

    return find


def test_a_misspelt_vars_section_is_one_mistake_however_often_its_variables_are_used(found):
    (one,) = found(
        ("name: base", "name: base\nvarz: {lr: 1e-3, n: 3}"),
        ("0.001", '"${vars.lr}"'),
        ("epochs: 1", "epochs: ${vars.n}"),
        ("out_features: 10", 'out_features: "${vars.n}"'),
    )
    assert (one.code, one.path, one.span.line) == ("unknown-key", "varz", 3)
    assert "did you mean `vars`?" in one.help


def test_a_missing_variable_is_one_mistake_with_the_places_that_use_it(found):
    (one,) = found(("0.001", '"${vars.lr}"'), ("epochs: 1", "epochs: ${vars.lr}"))
    assert (one.code, one.span.line) == ("unknown-variable", 19)
    assert [(place.span.line, place.message) for place in one.related] == [(21, "used here too")]


def test_a_missing_environment_variable_is_one_mistake(found, monkeypatch):
    monkeypatch.delenv("SUCH_A_NAME", raising=False)
    (one,) = found(("0.001", '"${env:SUCH_A_NAME}"'), ("epochs: 1", "epochs: ${env:SUCH_A_NAME}"))
    assert one.code == "missing-env"
    assert [place.span.line for place in one.related] == [21]


@pytest.mark.parametrize("name", ["con", "NUL", "com1.txt", "ends."])
def test_a_name_that_no_folder_may_have_is_a_mistake_at_its_line(found, name):
    (one,) = found(("name: base", f"name: {name}"))
    assert (one.code, one.span.line, one.span.column) == ("invalid-name", 2, 7)


def test_a_later_version_of_the_language_is_one_mistake(found):
    (one,) = found(("runexp: 1", "runexp: 2"), ("kind: train", "kind: fancy"), ("features:", "inputs:"))
    assert (one.path, one.span.line) == ("runexp", 1)
    assert "reads version 1" in one.message
    assert "newer runexp" in one.help


def test_help_for_a_huge_integer_says_which_numbers_there_are(found):
    (one,) = found(("epochs: 1", "epochs: 99999999999999999999999"))
    assert one.help.startswith("whole numbers go from -2^63 to 2^63-1")


def test_help_for_a_repeat_that_counts_shows_the_list_it_must_be(found):
    (one,) = found(
        ("phases:\n", "phases:\n  g: {kind: group, repeat: 2, phases: {a: {kind: eval, split: val, losses: [ce]}}}\n")
    )
    assert "`[{lr: 0.1}, {lr: 0.01}]`" in one.help


def test_help_for_a_negative_rate_names_the_bound_once(found):
    (one,) = found(("0.001", "-0.1"))
    assert one.help == "it takes a number above 0 or a list of numbers"


@pytest.mark.parametrize(
    ("override", "path"),
    [
        pytest.param("phases.test.kind=fit", None, id="a kind that needs nothing else lacks nothing"),
        pytest.param("phases.train.kind=eval", "phases.train.split", id="a kind that needs more"),
        pytest.param("phases.train.schedule.warmup_steps=3", "phases.train.schedule.use", id="a new mapping"),
        pytest.param("nodes.head.use=torch.nn.Conv2d", "nodes.head.with", id="a class that needs more"),
    ],
)
def test_what_an_override_makes_missing_is_told_at_the_override(found, override, path):
    missing = [one for one in found(overrides=[override]) if one.code in ("missing-key", "missing-parameter")]
    assert {one.span.file for one in missing} == ({"--set"} if path else set())
    assert path in {one.path for one in missing} or not path


def test_what_the_file_lacks_is_told_in_the_file_whatever_else_is_set_beside_it(found):
    (one,) = found(("split: test, ", ""), overrides=["phases.test.batch_size=3"])
    assert (one.code, one.span.file.endswith("spec.yaml")) == ("missing-key", True)
