"""CSV and TSV files, compressed or not; a damaged one is refused with the line it is damaged at."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from runexp.plan.data import SourcePlan
from runexp.plan.values import Origin
from runexp.runtime.data.arrow import UnreadableTextError, to_column
from runexp.runtime.data.files import fingerprint, locate
from runexp.runtime.data.problems import first_line, shown, wrong
from runexp.runtime.data.table import Column

_BLOCK = 16 * 2**20  # a row must fit into a block; bytes
_DIRECTIVE = b"#q2:types"  # QIIME 2 writes the types of the columns below their names: a row that is no data
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_HEAD = 4 * 2**20  # the first rows, and more than enough for a header; bytes


@dataclass(frozen=True, slots=True, eq=False)
class DelimitedSource:
    """A table of text, read whole; the types of its columns follow from all of their values."""

    path: Path
    delimiter: str
    table: Any
    fingerprint: str

    @property
    def label(self) -> str:
        return self.path.name

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.table.column_names)

    @property
    def n_rows(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str, origin: Origin) -> Column:
        try:
            return to_column(name, self.table.column(name), empty_is_missing=True)
        except UnreadableTextError as error:
            message = f"column {shown(name)} of {shown(self.label)} holds {error} in {self.place(error.row)}"
            raise wrong(origin, "unreadable-file", message) from error

    def place(self, row: int) -> str:
        """Lines are counted only here, for a message: blank ones and quoted line breaks shift them."""
        before = 2 if _has_directive(self.path) else 1
        records = _records(self.path, self.delimiter)
        line = next((line for index, (line, _) in enumerate(records) if index == row + before), None)
        return f"row {row}" if line is None else f"row {row} (line {line})"


def open_delimited(plan: SourcePlan, folder: Path, *, is_head: bool = False) -> DelimitedSource:
    """Read a `.csv` or `.tsv` file, also compressed (`.gz`, `.bz2`, `.zst`, `.lz4`).

    A first column without a name, as pandas writes an index, is called `index`.
    With `is_head` only its first rows, some 4 MiB, and no fingerprint.
    The line `#q2:types` below the header of a QIIME 2 metadata file is left out.
    """
    path = locate(plan, folder)
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    digest = "" if is_head else fingerprint(plan, path)
    try:
        table = _read_head(path, delimiter) if is_head else _read(path, delimiter)
        table = table.rename_columns(_named(table.column_names))
        names = table.column_names
    except (pa.ArrowException, OSError, ValueError) as error:
        raise wrong(plan.origin, "unreadable-file", _explain(path, delimiter, error)) from error
    _check_header(plan, path, names)
    if table.num_rows == 0:
        raise wrong(plan.origin, "empty-source", f"{shown(path.name)} has a header and no rows")
    return DelimitedSource(path, delimiter, table, digest)


def _read(path: Path, delimiter: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    n_directives = 1 if _has_directive(path) else 0
    with pa.input_stream(str(path), compression="detect") as stream:
        return pa.csv.read_csv(
            stream,
            read_options=pa.csv.ReadOptions(block_size=_BLOCK, skip_rows_after_names=n_directives),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        )


def _has_directive(path: Path) -> bool:
    with pa.input_stream(str(path), compression="detect") as stream:
        return bool(stream.read(_HEAD).partition(b"\n")[2].startswith(_DIRECTIVE))


def _named(names: list[str]) -> list[str]:
    """The first column is called `index` where it has no name, as pandas and R write theirs."""
    is_index = names[:1] == [""] and "index" not in names
    return ["index", *names[1:]] if is_index else names


def _read_head(path: Path, delimiter: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    with pa.input_stream(str(path), compression="detect") as stream:
        reader = pa.csv.open_csv(
            stream,
            read_options=pa.csv.ReadOptions(block_size=_HEAD, skip_rows_after_names=int(_has_directive(path))),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        )
        return pa.Table.from_batches([reader.read_next_batch()])


def _check_header(plan: SourcePlan, path: Path, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        message = f"{shown(path.name)} line 1 names column {shown(twice[0])} twice"
        raise wrong(plan.origin, "duplicate-column", message)
    if any("\0" in name for name in names):
        raise wrong(plan.origin, "unreadable-file", f"{shown(path.name)} line 1 holds a NUL character")


def _explain(path: Path, delimiter: str, error: Exception) -> str:
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            if bytes(stream.read(2)) in _UTF_16:
                return f"{shown(path.name)} is UTF-16, and tables are read as UTF-8"
        records = _records(path, delimiter)
        _, header = next(records, (0, []))
        if not header:
            return f"{shown(path.name)} is empty"
        for line, fields in records:
            if len(fields) != len(header):
                message = f"{shown(path.name)} line {line} has {len(fields)} values"
                return f"{message} where the header names {len(header)} columns"
    except (OSError, csv.Error, pa.ArrowException):
        pass  # what cannot even be scanned is described by the first error alone
    return f"{shown(path.name)} cannot be read: {first_line(error)}"


def _records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Every record with the line it starts at, the header first; blank lines are none."""
    with pa.input_stream(str(path), compression="detect") as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
        reader = csv.reader(text, delimiter=delimiter)
        line = 1
        for fields in reader:
            if fields:
                yield line, fields
            line = reader.line_num + 1
