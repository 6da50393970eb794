"""The sections of a spec in the order of the language, each with the comments above it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runexp.api.layout import layout
from runexp.spec import Spec

_FIRST = ("runexp", "extends")
_ORDER = {name: rank for rank, name in enumerate(dict.fromkeys((*_FIRST, *Spec.model_fields)))}


def in_order(text: str) -> str:
    """The text with its sections sorted; unknown ones come last, in the order written."""
    root = layout(text)
    if root is None or root.kind != "mapping" or root.is_flow or not root.keys:
        return text
    names = [key.text for key in root.keys]
    ranks = [-1 if name == "<<" else _ORDER.get(name, len(_ORDER)) for name in names]
    if ranks == sorted(ranks):
        return text
    lines = text.splitlines(keepends=True)
    lines[-1] = lines[-1].rstrip("\n") + "\n"
    head, chunks, foot = _cut(lines, [key.line for key in root.keys], _line_after(text, root.end))
    ordered = [chunk for _, chunk in sorted(zip(ranks, chunks, strict=True), key=lambda pair: pair[0])]
    return "".join([*head, *_spaced(ordered), *foot])


def _line_after(text: str, end: int) -> int:
    """The number of the first line behind an offset."""
    return text.count("\n", 0, end) + (0 if text[end - 1 : end] == "\n" else 1)


def _cut(
    lines: Sequence[str], starts: Sequence[int], end: int
) -> tuple[Sequence[str], list[Sequence[str]], Sequence[str]]:
    """What stands before the first section, each section with what belongs above it, and what ends the text."""
    begins = [starts[0], *(_above(lines, start) for start in starts[1:])]
    foot = _above(lines, len(lines)) if not any(map(_is_marker, lines[end:])) else end
    foot = max(foot, end)
    return lines[: starts[0]], [lines[a:b] for a, b in zip(begins, [*begins[1:], foot], strict=True)], lines[foot:]


def _above(lines: Sequence[str], line: int) -> int:
    """The first of the blank lines and comments at the margin that lead up to a line."""
    while line and (not lines[line - 1].strip() or lines[line - 1].startswith("#")):
        line -= 1
    return line


def _is_marker(line: str) -> bool:
    return re.match(r"\.\.\.(\s|$)", line) is not None


def _spaced(chunks: Sequence[Sequence[str]]) -> list[str]:
    """Sections below each other; blank lines that led the text now lead nothing."""
    moved: list[str] = []
    has_blanks = any(chunk and not chunk[0].strip() for chunk in chunks)
    for chunk in chunks:
        body = list(chunk)
        while body and not moved and not body[0].strip():
            body.pop(0)
        is_apart = bool(body) and not body[0].strip()
        if moved and has_blanks and len(body) > 1 and not is_apart:
            moved.append("\n")
        moved += body
    return moved
