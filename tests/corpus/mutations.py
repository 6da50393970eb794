"""Random damage to good specs: to their text, and to the data they hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from corpus.tables import GOOD
from runexp.source import read_text

TEXTS = tuple(path.read_text(encoding="utf-8") for path in GOOD.values())
WORDS = (
    "a", "train", "digits", "digits.pixels", "pca", "ce", "outputs", "targets.label", "torch.nn.Linear", "adam", "use",
    "with", "kind", "group", "yes", "null", "~", "true", "1e400", "-1", "0", "0o17", ".nan", ".inf", "3.5", "2**63",
    "9" * 30, "${vars.lr}", "${each.x}", "${env:HOME}", "${", "*a", "&a", "<<", "!!int", "!x", "---", "...", "|", ">",
    "[", "]", "{", "}", ":", ",", "#", "'", '"', "\\", "?", "-", "%", "@", "\t", "é", "\u0435", "\u202e", "\x00",
    "[/red]",
)  # fmt: skip
SNIPPETS = (
    "  x: 1", "x: [1, {a: b}]", "- item", "<<: *base", "base: &base {a: 1}", "extends: nowhere.yaml", "? key\n: value",
    "text: |\n  block\n  scalar", "sweep: {parameters: {seed: [1]}, objective: test.loss}", "cv: {folds: 3}",
    "phases: {a: {kind: group, repeat: [{x: 1}], phases: {b: {kind: eval, split: test}}}}", "vars: {a: ${vars.a}}",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**63, 2**70, 0.5, 1e308, "", "a", "train", "x" * 300, "a.b", "a.b.c", ".", "..", "*",
    "[", "${vars.x}", "\u202e", "é", [], {}, [[]], [None], [1, "a", {}], {"": 1}, {"use": "adam"},
    {"use": 3, "with": []},
    {"use": "torch.nn.Linear", "with": {"out_features": 3}}, {"kind": "group", "phases": {}},
    {"a": {"b": {"c": [1]}}},
)  # fmt: skip
_TOKEN = re.compile(r"[\w.*]+|[^\w\s]")


def mutated(random: Random) -> str:
    """One good spec, damaged in one to four ways."""
    text = random.choice(TEXTS)
    damage = random.choice((in_text, in_data))
    for _ in range(random.randint(1, 4)):
        text = damage(text, random)
    return text


def in_text(text: str, random: Random) -> str:
    """One line, token or character of a text changed."""
    return random.choice(_TEXT_CHANGES)(text, random)


def in_data(text: str, random: Random) -> str:
    """One value or key of the data changed; written as JSON, which is YAML. What cannot be read stays."""
    document, _ = read_text(text, environ={})
    if document is None:
        return text
    data = document.plain()
    places = list(_places(data))
    if not places:
        return text
    parent, step = random.choice(places)
    change = random.choice((_replace, _replace, _swap, _rename, _remove))
    change(parent, step, places, random)
    return json.dumps(data, ensure_ascii=False, indent=random.choice((None, 1)))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    steps = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for step in steps:
        yield value, step
        yield from _places(value[step])


def _replace(parent: Any, step: Any, _: list[Any], random: Random) -> None:
    parent[step] = json.loads(json.dumps(random.choice(VALUES)))


def _swap(parent: Any, step: Any, places: list[Any], random: Random) -> None:
    other, there = random.choice(places)
    parent[step] = json.loads(json.dumps(other[there]))


def _rename(parent: Any, step: Any, places: list[Any], random: Random) -> None:
    if isinstance(parent, dict):
        keys = [key for container, key in places if isinstance(container, dict)]
        parent[random.choice((*keys, *WORDS))] = parent.pop(step)


def _remove(parent: Any, step: Any, _: list[Any], __: Random) -> None:
    del parent[step]


def _lines(change: Callable[[list[str], int, Random], None]) -> Callable[[str, Random], str]:
    def changed(text: str, random: Random) -> str:
        lines = text.split("\n")
        change(lines, random.randrange(len(lines)), random)
        return "\n".join(lines)

    return changed


def _delete(lines: list[str], at: int, _: Random) -> None:
    del lines[at]


def _duplicate(lines: list[str], at: int, random: Random) -> None:
    lines.insert(random.randrange(len(lines)), lines[at])


def _swap_lines(lines: list[str], at: int, random: Random) -> None:
    there = random.randrange(len(lines))
    lines[at], lines[there] = lines[there], lines[at]


def _indent(lines: list[str], at: int, random: Random) -> None:
    lines[at] = random.choice(("  ", " ", "\t", "- ")) + lines[at] if random.random() < 0.5 else lines[at].lstrip()


def _insert(lines: list[str], at: int, random: Random) -> None:
    lines.insert(at, " " * random.choice((0, 0, 2, 4)) + random.choice(SNIPPETS))


def _token(text: str, random: Random) -> str:
    found = list(_TOKEN.finditer(text))
    if not found:
        return text
    one = random.choice(found)
    new = random.choice((*WORDS, *(other.group() for other in found[:40])))
    return text[: one.start()] + new + text[one.end() :]


def _character(text: str, random: Random) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice((*WORDS, "", " ", "\n")) + text[at + random.randrange(2) :]


def _truncate(text: str, random: Random) -> str:
    return text[: random.randrange(len(text) + 1)]


_TEXT_CHANGES = (
    *map(_lines, (_delete, _duplicate, _swap_lines, _indent, _insert)), _token, _token, _token, _character, _truncate
)  # fmt: skip
