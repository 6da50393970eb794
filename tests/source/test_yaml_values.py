"""What is written is what is read: against a reference parser, and back to the text through spans."""

import io
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from runexp.source import MappingNode, ScalarNode, read_text
from runexp.source.text import INVISIBLE

words = st.text(max_size=12).filter(lambda text: not INVISIBLE.search(text) and "\r" not in text and "${" not in text)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words
)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=20
)
documents = st.dictionaries(words.filter(lambda key: key != "extends"), trees, min_size=1, max_size=5)
unicode_forms = st.sampled_from([True, False])


def unambiguous(tree):
    """A tree without keys that are the same after normalisation: those are refused on purpose."""
    document, found = read_text(json.dumps(tree, ensure_ascii=False))
    return document if not any(one.code == "duplicate-key" for one in found) else None


@given(documents, unicode_forms)
@settings(max_examples=150, deadline=None)
def test_json_is_read_as_json_means_it(tree, ascii_only):
    if unambiguous(tree) is None or "phases" in tree:
        return
    text = json.dumps(tree, ensure_ascii=ascii_only)
    document, found = read_text(text)
    assert not found
    assert document is not None and document.plain() == tree


def dumped(tree):
    out = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.dump(tree, out)
    return out.getvalue()


plain_words = st.from_regex(r"[a-z][a-z :#'\"\-\n]{0,20}[a-z]", fullmatch=True)
key_words = plain_words.filter(lambda text: "\n" not in text)
plain_trees = st.recursive(
    st.integers(-999, 999) | st.booleans() | st.none() | plain_words,
    lambda inner: st.lists(inner, min_size=1, max_size=4) | st.dictionaries(key_words, inner, min_size=1, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(key_words, plain_trees, min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_block_style_is_read_as_the_reference_reads_it(tree):
    text = dumped(tree)
    document, found = read_text(text)
    assert not [one for one in found if one.is_error], (text, found)
    assert document is not None and document.plain() == YAML(typ="safe", pure=True).load(text)


REFERENCE_CASES = {
    "literal": "a: |\n  x\n   y\n\n  z\nb: 1\n",
    "literal stripped": "a: |-\n  x\n\nb: 1\n",
    "literal kept": "a: |+\n  x\n\n\nb: 1\n",
    "literal with an indent": "a: |2\n    x\n  y\n",
    "folded": "a: >\n  x\n  y\n\n  z\n    w\n  v\n",
    "plain over lines": "a: x\n  y\n\n  z\nb: [p\n   q, r]\n",
    "quoted over lines": "a: \"x\n  y\\\n  z\n\n  w\"\nb: 'p\n  q''s'\n",
    "list at the column of its key": "a:\n- 1\n- b: 2\n  c: 3\n-\n  - 4\n  - - 5\n    - 6\n",
    "flow in flow": "a: {b: [1, {c: d}], 'e':2, \"f\": , g: }\n",
    "pairs in a list": "a: [b: c, d: {e: f}]\n",
    "colons in plain text": "a: b:c\nd: e#f\nurl: http://x.y/z?q=1\n",
    "anchors": "a: &x {p: 1}\nb: *x\nc:\n  <<: *x\n  q: 2\nd: &y\n  r: 3\ne: *y\n",
    "empty values": "a:\nb:\n  c:\nd: ''\n",
    "document markers": "%YAML 1.2\n---\na: 1\n...\n",
    "comments": "# a\na: 1 # b\n# c\nb: # d\n  - 1 # e\n  # f\n  - 2\n# g\n",
    "keys with spaces and quotes": "a b: 1\n'c: d': 2\n\"e\\tf\": 3\n&k g: 4\n",
    "windows line ends": "a: 1\r\nb:\r\n  - x\r\n",
}


@pytest.mark.parametrize("text", REFERENCE_CASES.values(), ids=REFERENCE_CASES.keys())
def test_each_way_to_write_yaml_means_what_the_reference_says(text):
    document, found = read_text(text)
    assert not found
    assert document is not None and document.plain() == YAML(typ="safe", pure=True).load(text)


VALUES = {
    "1e-3": 0.001, ".5": 0.5, "5.": 5.0, "0o17": 15, "0x1F": 31, "+7": 7, "-0": 0, "1_000": "1_000", "yes": "yes",
    "on": "on", "2001-01-01": "2001-01-01", "1:30": "1:30", "~": None, "null": None, "": None, "True": True,
    "tRUE": "tRUE", ".inf": math.inf, "-.INF": -math.inf, "0b1": "0b1", "1e3": 1000.0, "0o8": "0o8",
    "!!str 5": "5", "!!float 5": 5.0, "! 5": "5", "!!int 0x10": 16, "18446744073709551615": 2**64 - 1,
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES.items())
def test_a_scalar_has_its_core_type(text, value):
    document, _ = read_text(f"a: {text}\n")
    assert document is not None
    found = document.plain()["a"]
    assert found == value and type(found) is type(value)


@given(documents)
@settings(max_examples=100, deadline=None)
def test_spans_slice_back_to_the_written_text(tree):
    text = json.dumps(tree, ensure_ascii=False, indent=1)
    document, found = read_text(text)
    if found or document is None or "phases" in tree:
        return
    lines = text.split("\n")
    for node in leaves(document.root):
        line = lines[node.span.line - 1]
        written = line[node.span.column - 1 : node.span.end_column - 1]
        assert json.loads(written) == node.value


def leaves(node):
    if isinstance(node, ScalarNode):
        return [node]
    inside = [entry.value for entry in node.entries] if isinstance(node, MappingNode) else node.items
    return [leaf for child in inside for leaf in leaves(child)]


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_bytes_raise(data):
    document, found = read_text(data)
    assert document is not None or any(one.is_error and one.span for one in found)


@given(st.text(alphabet="ab:- \n\t[]{},&*!|>'\"#%@$<?.0\\~", max_size=60))
@settings(max_examples=600, deadline=None)
def test_no_text_made_of_indicators_raises(text):
    document, found = read_text(text, environ={})
    assert document is not None or any(one.is_error and one.span for one in found)
