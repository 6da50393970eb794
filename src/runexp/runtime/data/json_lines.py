"""JSON lines: one object a line, its keys the columns; a line that is none is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json

from runexp.plan.data import SourcePlan
from runexp.runtime.data.arrow_table import TableSource, checked_table
from runexp.runtime.data.files import fingerprint, locate
from runexp.runtime.data.problems import first_line, shown, wrong

_BLOCK = 16 * 2**20  # a line must fit into a block; bytes
_WORDS = {bool: "a truth value", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}


def open_json_lines(plan: SourcePlan, folder: Path) -> TableSource:
    """Read a `.jsonl` or `.ndjson` file, also compressed; a key that a line lacks is a missing value."""
    path = locate(plan, folder)
    digest = fingerprint(plan, path)
    try:
        table = _read(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise wrong(plan.origin, "unreadable-file", _explain(path, error)) from error
    return checked_table(plan, TableSource(path.name, table, digest, partial(_place, path)))


def _read(path: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
    with pa.input_stream(str(path), compression="detect") as stream:
        return pa.json.read_json(stream, read_options=pa.json.ReadOptions(block_size=_BLOCK))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Every line that is not blank, with its number."""
    with pa.input_stream(str(path), compression="detect") as stream:
        for number, line in enumerate(stream.read().split(b"\n"), start=1):
            if line.strip():
                yield number, line


def _place(path: Path, row: int) -> str:
    number = next((number for index, (number, _) in enumerate(_lines(path)) if index == row), None)
    return f"row {row}" if number is None else f"row {row} (line {number})"


def _explain(path: Path, error: Exception) -> str:
    try:
        return f"{shown(path.name)} {_first_fault(path) or f'cannot be read: {first_line(error)}'}"
    except (OSError, pa.ArrowException):
        return f"{shown(path.name)} cannot be read: {first_line(error)}"


def _first_fault(path: Path) -> str:
    """What is wrong with the first line that is no object, or that holds another kind of value than before it."""
    kinds: dict[str, tuple[str, int]] = {}
    is_empty = True
    for number, line in _lines(path):
        is_empty = False
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            return f"line {number} is not JSON: {first_line(error)}"
        if not isinstance(row, dict):
            return f"line {number} is {_WORDS.get(type(row), 'null')} and not an object"
        for key, value in row.items():
            kind = _WORDS.get(type(value))
            first, where = kinds.setdefault(key, (kind, number)) if kind else (kind, number)
            if kind != first:
                return f"line {number} has {kind} for {shown(key)}, which is {first} in line {where}"
    return "is empty" if is_empty else ""
