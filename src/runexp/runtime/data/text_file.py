"""Plain text: a row for each line, in one column `text`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from runexp.plan.data import SourcePlan
from runexp.runtime.data.arrow_table import TableSource, checked_table
from runexp.runtime.data.files import fingerprint, locate
from runexp.runtime.data.problems import first_line, shown, wrong

COLUMN = "text"


def open_text(plan: SourcePlan, folder: Path) -> TableSource:
    """Read a `.txt` file in UTF-8, also compressed. A blank line is a row too: an empty text."""
    path = locate(plan, folder)
    digest = fingerprint(plan, path)
    lines = _content(plan, path).split(b"\n")
    return _table(plan, path, lines, digest)


def open_shipped(plan: SourcePlan, label: str, documents: Iterable[str]) -> TableSource:
    """Texts that are not in a file, line by line."""
    text = "\n".join(documents)
    return _table(plan, Path(label), text.encode().split(b"\n"), hashlib.sha256(text.encode()).hexdigest())


def read_text(plan: SourcePlan, path: Path, folder: Path) -> str:
    """A whole text with line ends `\\n`; `SpecError` with the line where it is not UTF-8."""
    content = _content(plan, locate(replace(plan, path=str(path)), folder))
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise wrong(plan.origin, "unreadable-file", f"{shown(path.name)} line {number} is not UTF-8") from error
    return text.replace("\r\n", "\n")


def _content(plan: SourcePlan, path: Path) -> bytes:
    """The bytes of a file, unpacked, without the mark that some editors begin a text with."""
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            content: bytes = stream.read()
    except (pa.ArrowException, OSError) as error:
        message = f"{shown(path.name)} cannot be read: {first_line(error)}"
        raise wrong(plan.origin, "unreadable-file", message) from error
    return content.removeprefix(b"\xef\xbb\xbf")


def _table(plan: SourcePlan, path: Path, lines: list[bytes], digest: str) -> TableSource:
    if not lines[-1]:
        lines.pop()  # what ends the last line begins no other
    rows = [_decoded(plan, path, number, line) for number, line in enumerate(lines, start=1)]
    table = pa.table({COLUMN: pa.array(rows, pa.large_string())})
    return checked_table(plan, TableSource(path.name, table, digest, _place))


def _decoded(plan: SourcePlan, path: Path, number: int, line: bytes) -> str:
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeDecodeError as error:
        message = f"{shown(path.name)} line {number} is not UTF-8"
        raise wrong(plan.origin, "unreadable-file", message) from error


def _place(row: int) -> str:
    return f"row {row} (line {row + 1})"
