"""A spec changed in Python: one value moves, every other character stays."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runexp.api.editing import load_text, save_text, set_value
from runexp.diagnostics import SpecError
from runexp.source import read_text

QUICKSTART = Path(__file__).resolve().parents[2] / "specs" / "quickstart.yaml"


def _changed_lines(before, after):
    difference = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in difference if line[0] in "+-" and line[:3] not in ("+++", "---")]


def test_a_changed_value_leaves_every_other_line_alone(tmp_path):
    text = load_text(QUICKSTART)
    changed = set_value(text, "phases.train.epochs", 5)
    assert [line.count("epochs: 5") for line in _changed_lines(text, changed)] == [0, 1]
    save_text(tmp_path / "s.yaml", changed)
    assert load_text(tmp_path / "s.yaml") == changed


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        pytest.param("a: 1  # why\nb: 2\n", "a", 3, "a: 3  # why\nb: 2\n", id="a comment stays"),
        pytest.param("a: &x {b: 1}\nc: *x  # c\n", "c", 3, "a: &x {b: 1}\nc: 3  # c\n", id="an alias is replaced"),
        pytest.param("d:\ne: 1\n", "d", "on", 'd: "on"\ne: 1\n', id="an empty value is filled"),
        pytest.param("d:  # why\ne: 1\n", "d", 2, "d: 2  # why\ne: 1\n", id="an empty value before a comment"),
        pytest.param("e:\n  - 1\n  - 2\n", ["e", 1], [3, None], "e:\n  - 1\n  - [3, null]\n", id="an item of a list"),
        pytest.param("e:\n- 1\n- 2\nf: 1\n", "e", [3], "e:\n  [3]\nf: 1\n", id="a list at the margin"),
        pytest.param("f: {}\n", "f.x", True, "f: {x: true}\n", id="a key of an empty mapping"),
        pytest.param("f: {a: 1,\n    b: 2}\n", "f.c", 0.5, "f: {a: 1,\n    b: 2, c: 0.5}\n", id="a key in braces"),
        pytest.param(
            "f:\n  a: 1  # a\n\n# g\ng: 2\n", "f.b", "x", "f:\n  a: 1  # a\n  b: x\n\n# g\ng: 2\n", id="a key"
        ),
        pytest.param(
            "f:\n  a: |\n    t\ng: 2\n", "f.b", 1, "f:\n  a: |\n    t\n  b: 1\ng: 2\n", id="after a text block"
        ),
        pytest.param("a: 1", "b", 2, "a: 1\nb: 2", id="at the end without a line end"),
    ],
)
def test_a_value_is_put_where_it_belongs(before, path, value, after):
    assert set_value(before, path, value) == after


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text("ab: #'\"é-[]{},&*!|\\"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=40)
@given(VALUES, st.sampled_from(["name", "phases.train.epochs", "nodes.head", "phases.new", "nodes.encoder.layers.1"]))
def test_what_is_set_is_what_is_read_and_nothing_else_changes(value, path):
    text = QUICKSTART.read_text(encoding="utf-8")
    before, after = read_text(text)[0].plain(), read_text(set_value(text, path, value))[0].plain()
    *steps, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    parents = [before, after]
    for step in steps:
        parents = [parent[step] for parent in parents]
    assert parents[1][last] == value
    parents[0][slice(last, last + 1) if isinstance(last, int) else last] = [value] if isinstance(last, int) else value
    assert before == after


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        pytest.param("a: &x {b: 1}\nc: *x\n", "c.b", "alias", id="through an alias"),
        pytest.param("a: &x 1\nc: *x\n", "a", "x", id="an anchor that is used"),
        pytest.param("phases: {}\n", "phase.train", "phase", id="through what is not there"),
        pytest.param("a: 1\n", "a.b", "b", id="into a number"),
        pytest.param("a: [\n", "a", "", id="no yaml"),
    ],
)
def test_what_cannot_be_set_is_refused_with_a_place(text, path, message):
    with pytest.raises(SpecError) as refused:
        set_value(text, path, 1)
    assert message in refused.value.diagnostics[0].message
    assert refused.value.diagnostics[0].span is not None
