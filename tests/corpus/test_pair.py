"""Mistakes across files and the command line: each is told in the file, and at the place, where it was made."""

from __future__ import annotations

import re

import pytest

from corpus.tables import HERE, Place, places
from runexp.api.checking import check

GOOD = (HERE / "good/rich.yaml").read_text()


def written(folder, texts):
    """Write marked texts as files; what they announce, by file."""
    expected = {}
    for name, text in texts.items():
        expected[name], plain = places(text)
        (folder / name).write_text(plain)
    return expected


def told(diagnostics, folder):
    """(file, code, place) of each diagnostic."""
    return [
        (
            one.span.file.removeprefix(f"{folder}/"),
            one.code,
            Place(one.span.line, one.span.column, one.span.end_line, one.span.end_column),
        )
        for one in diagnostics
    ]


def test_ten_mistakes_of_ten_kinds_across_two_files_are_ten_messages_in_their_places(tmp_path):
    texts = {name: (HERE / "pair" / name).read_text() for name in ("base.yaml", "upper.yaml")}
    marked = written(tmp_path, texts)
    codes = {name: re.findall(r"# ([a-z-]+)$", text, re.MULTILINE) for name, text in texts.items()}
    expected = [(name, *each) for name in texts for each in zip(codes[name], marked[name], strict=True)]
    found = check(tmp_path / "upper.yaml").diagnostics
    assert sorted(told(found, tmp_path), key=str) == sorted(expected, key=str)
    assert len({one.code for one in found}) == 10


CHAINS = {
    "an unknown key in the middle": ("unknown-key", {
        "a.yaml": "extends: b.yaml\nseed: 3\n", "b.yaml": "extends: good.yaml\n«sede»: 4\n",
    }),
    "a wrong value that the top wins": ("wrong-type", {
        "a.yaml": "extends: b.yaml\nseed: «three»\n", "b.yaml": "extends: good.yaml\nseed: four\n",
    }),
    "a wrong value the top does not touch": ("wrong-type", {
        "a.yaml": "extends: b.yaml\n", "b.yaml": "extends: good.yaml\nseed: «four»\n",
    }),
    "a wrong value in the second of two bases": ("wrong-value", {
        "a.yaml": "extends: [good.yaml, b.yaml]\n", "b.yaml": "phases: {train: {epochs: «0»}}\n",
    }),
    "a file that is not there": ("cannot-read", {"a.yaml": "extends: «godo.yaml»\n"}),
    "a folder": ("cannot-read", {"a.yaml": "extends: «.»\n"}),
    "itself": ("extends-cycle", {"a.yaml": "extends: «a.yaml»\n"}),
    "a circle": ("extends-cycle", {"a.yaml": "extends: b.yaml\n", "b.yaml": "extends: «a.yaml»\n"}),
    "a number": ("bad-extends", {"a.yaml": "extends: «3»\n"}),
    "a mapping": ("bad-extends", {"a.yaml": "extends: «{file: good.yaml}»\n"}),
    "a list with a list": ("bad-extends", {"a.yaml": "extends: [good.yaml, «[x]»]\n"}),
    "nothing": ("bad-extends", {"a.yaml": "extends:«»\n"}),
    "broken YAML below": ("unclosed", {"a.yaml": "extends: b.yaml\n", "b.yaml": "name: «[»x\n"}),
    "a list below": ("not-a-mapping", {"a.yaml": "extends: b.yaml\n", "b.yaml": "«- a\n- b»"}),
    "a phase removed that is named": ("unknown-callback", {
        "a.yaml": "extends: good.yaml\ncallbacks: {stop: null}\nphases: {train: {callbacks: [validate, «stop»]}}\n",
    }),
    "a loss removed that is used below": ("unknown-node", {
        "a.yaml": "extends: good.yaml\nlosses: {ce: {node: «haed»}}\n",
    }),
    "a variable of the base": ("bad-value", {
        "a.yaml": "extends: good.yaml\nvars: {lr: «fast»}\n",
    }),
}  # fmt: skip


@pytest.mark.parametrize(("code", "texts"), CHAINS.values(), ids=CHAINS.keys())
def test_a_mistake_in_a_chain_of_files_is_told_in_its_file(tmp_path, code, texts):
    (tmp_path / "good.yaml").write_text(GOOD)
    marked = written(tmp_path, texts)
    expected = [(name, code, place) for name, found in marked.items() for place in found]
    actual = [one for one in check(tmp_path / "a.yaml").diagnostics if one.code == code]
    assert told(actual, tmp_path) == expected


OVERRIDES = {
    "no such phase": ("unknown-path", "phases.«trian».epochs=3"),
    "no such section": ("unknown-key", "«phase».train.epochs=3"),
    "no such key": ("unknown-key", "phases.train.«epohcs»=3"),
    "no such node": ("unknown-path", "nodes.«haed».freeze=true"),
    "inside a number": ("unknown-path", "phases.train.epochs.«max»=3"),
    "an item that is not there": ("unknown-path", "phases.train.losses[«3»]=ce"),
    "a word for an item": ("unknown-path", "phases.train.losses.«first»=ce"),
    "no value": ("bad-override", "«phases.train.epochs»"),
    "no path": ("bad-override", "«=3»"),
    "a space in the path": ("bad-override", "«phases train=3»"),
    "a wrong type": ("wrong-type", "seed=«seven»"),
    "a wrong type inside": ("wrong-type", "phases.train.batches={size: «big»}"),
    "out of range": ("wrong-value", "phases.train.epochs=«0»"),
    "an unknown word": ("unknown-word", "callbacks.stop.mode=«least»"),
    "an unknown name": ("unknown-node", "losses.ce.node=«haed»"),
    "an unknown split": ("unknown-split", "phases.reduce.split=«trian»"),
    "a parameter": ("bad-value", "vars.lr=«fast»"),
    "an unknown parameter": ("unknown-parameter", "phases.train.optimizer.with.«rate»=1"),
    "an unclosed list": ("unclosed", "phases.train.losses=«[»ce"),
    "an unknown variable": ("unknown-variable", "seed=«${vars.sed}»"),
    "a YAML 1.1 number": ("wrong-type", "seed=«1_000»"),
    "a control character": ("bad-character", "«name=a\x1bb»"),
}  # fmt: skip


@pytest.mark.parametrize(("code", "override"), OVERRIDES.values(), ids=OVERRIDES.keys())
def test_a_mistake_in_an_override_is_told_on_the_command_line(code, override):
    marked, plain = places(override)
    found = check(HERE / "good/rich.yaml", overrides=["execution.threads=1", plain]).diagnostics
    expected = [("--set", code, Place(2, at.column, 2, at.end_column)) for at in marked]
    assert told(found, "") == expected
