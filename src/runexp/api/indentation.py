"""Two spaces a level: every line moves with the block it belongs to."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from runexp.api.layout import Part, layout

_STEP = 2


@dataclass(frozen=True, slots=True)
class _Block:
    """A mapping or list in block style: the column it stands at and the one it goes to."""

    old: int
    new: int


@dataclass(slots=True)
class _Moves:
    """What each line of a text moves with, by the number of the line.

    `entries` are lines that begin a key or an item, `inner` those on which a value goes on; `n_dashes` counts
    the items that begin on a line.
    """

    text: str
    starts: Sequence[int]
    entries: dict[int, _Block] = field(default_factory=dict)
    inner: dict[int, _Block] = field(default_factory=dict)
    n_dashes: dict[int, int] = field(default_factory=dict)

    def line(self, offset: int) -> int:
        """The line of an offset, from 0."""
        return bisect_right(self.starts, offset) - 1


def reindented(text: str) -> str:
    """The text with two spaces a level, one space behind each dash, and no blanks at the ends of lines."""
    root = layout(text)
    if root is None:
        return text
    lines = text.split("\n")
    moves = _Moves(text, [0, *(found.end() for found in re.finditer("\n", text))])
    _walk(root, 0, moves)
    moved = [_moved(line, number, moves) for number, line in enumerate(lines)]
    for number, column in _comment_columns(lines, moves):
        moved[number] = " " * column + lines[number].strip()
    return "\n".join(moved).rstrip("\n") + "\n"


def _walk(part: Part, column: int, moves: _Moves) -> None:
    """Note what moves with a block that goes to a column, and with all blocks inside."""
    if part.is_flow or not part.items:
        return
    if part.kind == "mapping":
        block = _Block(part.keys[0].column, column)
        for key, item in zip(part.keys, part.items, strict=True):
            moves.entries.setdefault(key.line, block)
            _walk_value(item, key.line, block, moves)
    elif part.kind == "list":
        _walk_list(part, column, moves)


def _walk_list(part: Part, column: int, moves: _Moves) -> None:
    behind = part.start
    for item in part.items:
        dash = _dash(moves.text, behind, item.start)
        line = moves.line(dash)
        block = _Block(dash - moves.starts[line], column)
        moves.entries.setdefault(line, block)
        moves.n_dashes[line] = moves.n_dashes.get(line, 0) + 1
        _walk_value(item, line, block, moves)
        behind = max(item.end, dash + 1)


def _walk_value(item: Part, line: int, block: _Block, moves: _Moves) -> None:
    """A block goes one level deeper; what else a value is moves with the entry it belongs to."""
    if item.kind in ("mapping", "list") and not item.is_flow:
        _walk(item, block.new + _STEP, moves)
        return
    for number in range(line + 1, moves.line(max(item.start, item.end - 1)) + 1):
        moves.inner.setdefault(number, block)


def _dash(text: str, start: int, end: int) -> int:
    """Where the dash of an item stands that begins at `end`."""
    found = [match.start(1) for match in _DASH.finditer(text, start, end) if match.group(1)]
    return found[0] if found else start


def _moved(line: str, number: int, moves: _Moves) -> str:
    block = moves.entries.get(number)
    if block is not None:
        content, n_dashes = line.strip(" \t"), moves.n_dashes.get(number, 0)
        behind = re.sub(rf"^(?:-[ \t]*){{{n_dashes}}}", "", content)
        return " " * block.new + ("- " * n_dashes + behind).rstrip(" \t")
    block = moves.inner.get(number)
    if block is None:
        return line.rstrip(" \t")
    by = block.new - block.old
    blanks = len(line) - len(line.lstrip(" "))
    return " " * by + line if by > 0 and line else line[min(blanks, -by) :] if by < 0 else line


def _comment_columns(lines: Sequence[str], moves: _Moves) -> Iterator[tuple[int, int]]:
    """Lines of comments and where they go: with the entry below, or the nearest above, that they are aligned with."""
    order = sorted(moves.entries)
    above: list[_Block] = []
    n_passed = 0
    for number, line in enumerate(lines):
        if number in moves.entries:
            block = moves.entries[number]
            above = [*(outer for outer in above if outer.old < block.old), block]
            n_passed += 1
        elif number not in moves.inner and line.lstrip().startswith("#"):
            below = moves.entries[order[n_passed]] if n_passed < len(order) else None
            yield number, _aligned(len(line) - len(line.lstrip()), above, below)


def _aligned(column: int, above: Sequence[_Block], below: _Block | None) -> int:
    if below is not None and below.old == column:
        return below.new
    nearest = next((block for block in reversed(above) if block.old <= column), None)
    if nearest is not None and (nearest.old == column or below is None):
        return nearest.new
    return below.new if below is not None else 0


_DASH = re.compile(r"(?<!\S)#[^\n]*|(-)(?=\s|$)")
