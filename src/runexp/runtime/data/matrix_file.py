"""A square of values between rows: a CSV with the ids of rows and columns or without, or a NumPy array."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa

from runexp.plan.data import MatrixPlan
from runexp.runtime.data.files import fingerprint, locate
from runexp.runtime.data.numpy_file import open_numpy
from runexp.runtime.data.problems import first_line, shown, wrong
from runexp.runtime.data.table import Array

_ABSENT = frozenset({"", "NA"})


@dataclass(frozen=True, slots=True, eq=False)
class MatrixFile:
    """`padded` (M + 1, M + 1) float32: zeros, then the values, NaN where there is none; the M ids, or none."""

    label: str
    padded: Array
    ids: tuple[str, ...]
    fingerprint: str

    def name_of(self, place: int) -> str:
        """What a message calls a row of `padded`."""
        return self.ids[place - 1] if self.ids else f"row {place - 1}"


def open_matrix(plan: MatrixPlan, folder: Path) -> MatrixFile:
    """Read a matrix whole, its triangle mirrored and its diagonal filled; `SpecError` where it is none."""
    file = _open_numpy(plan, folder) if plan.source.kind == "numpy" else _open_text(plan, folder)
    _complete(file.padded[1:, 1:], plan)
    return file


def _complete(values: Array, plan: MatrixPlan) -> None:
    """Mirror the triangle that was given, row by row: no second matrix is held."""
    if plan.triangle == "lower":
        for row in range(len(values)):
            values[row, row + 1 :] = values[row + 1 :, row]
    elif plan.triangle == "upper":
        for row in range(len(values)):
            values[row + 1 :, row] = values[row, row + 1 :]
    diagonal = np.einsum("ii->i", values)
    diagonal[np.isnan(diagonal)] = plan.diagonal


def _open_numpy(plan: MatrixPlan, folder: Path) -> MatrixFile:
    source = open_numpy(plan.source, folder)
    arrays = list(source.arrays.values())
    if len(arrays) > 1:
        message = f"{shown(source.label)} holds {len(arrays)} arrays, and a matrix is one"
        raise wrong(plan.source.origin, "ragged-shape", message)
    if arrays[0].dtype.kind not in "biuf":
        raise wrong(plan.source.origin, "non-numeric-column", f"{shown(source.label)} holds no numbers")
    if arrays[0].ndim != 2 or arrays[0].shape[0] != arrays[0].shape[1]:
        raise _no_square(plan, source.label, " x ".join(map(str, arrays[0].shape)))
    padded = np.zeros((len(arrays[0]) + 1, len(arrays[0]) + 1), np.float32)
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused as such
        padded[1:, 1:] = arrays[0]
    return MatrixFile(source.label, padded, (), source.fingerprint)


def _open_text(plan: MatrixPlan, folder: Path) -> MatrixFile:
    path = locate(plan.source, folder)
    digest = fingerprint(plan.source, path)
    try:
        n_lines = sum(1 for line in _text(path) if line.strip())
        with _text(path) as text:
            return _Reading(plan, path.name, n_lines).read(text, "\t" if ".tsv" in path.suffixes else ",", digest)
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        message = f"{shown(path.name)} cannot be read: {first_line(error)}"
        raise wrong(plan.source.origin, "unreadable-file", message) from error


def _text(path: Path) -> io.TextIOWrapper:
    return io.TextIOWrapper(pa.input_stream(str(path), compression="detect"), encoding="utf-8-sig", newline="")


@dataclass(frozen=True, slots=True)
class _Reading:
    """A text of `n_lines` lines that are not blank."""

    plan: MatrixPlan
    label: str
    n_lines: int

    def read(self, text: io.TextIOWrapper, delimiter: str, digest: str) -> MatrixFile:
        """All rows; a first cell that is no number begins a line of ids."""
        records = _records(text, delimiter)
        first = next(records, None)
        if first is None:
            raise wrong(self.plan.source.origin, "empty-source", f"{shown(self.label)} has no rows")
        if _is_float(first[1][0]):
            names = tuple(str(index) for index in range(self.n_lines))
            padded, _ = self._rows(chain([first], records), names, has_index=False)
            return MatrixFile(self.label, padded, (), digest)
        n_rows, header = self.n_lines - 1, [name.strip() for name in first[1]]
        if len(header) not in (n_rows, n_rows + 1):
            raise _no_square(self.plan, self.label, f"{n_rows} rows under a header of {len(header)}")
        has_index = len(header) == n_rows + 1
        columns = tuple(header[1:] if has_index else header)
        padded, index = self._rows(records, columns, has_index=has_index)
        self._order(padded[1:, 1:], index or columns, columns)
        return MatrixFile(self.label, padded, index or columns, digest)

    def _rows(
        self, records: Iterator[tuple[int, list[str]]], columns: Sequence[str], *, has_index: bool
    ) -> tuple[Array, tuple[str, ...]]:
        """The padded values, and the first cell of every line where that is an id."""
        padded = np.zeros((len(columns) + 1, len(columns) + 1), np.float32)
        index: list[str] = []
        row = 0
        for row, (line, fields) in enumerate(records, start=1):
            values = self._numbers(fields[has_index:], columns, line)
            with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused as such
                padded[row, 1:] = values
            index += [name.strip() for name in fields[:has_index]]
        if row != len(columns):
            raise _no_square(self.plan, self.label, f"{row} rows of {len(columns)} values")
        return padded, tuple(index)

    def _numbers(self, fields: Sequence[str], columns: Sequence[str], line: int) -> Array:
        """The values of a line, one a column; an empty cell is NaN, and so is what a lower triangle leaves out."""
        is_short = len(fields) < len(columns) and self.plan.triangle == "lower"
        if len(fields) != len(columns) and not is_short:
            message = f"{shown(self.label)} line {line} has {len(fields)} values, and there are {len(columns)} rows"
            raise wrong(self.plan.source.origin, "ragged-shape", message)
        values = np.full(len(columns), np.nan, np.float64)
        try:
            values[: len(fields)] = list(map(float, fields))
        except ValueError:  # an empty cell, most likely: the slower way
            values[: len(fields)] = [self._number(field, columns[at], line) for at, field in enumerate(fields)]
        return values

    def _number(self, field: str, column: str, line: int) -> float:
        try:
            return np.nan if field.strip() in _ABSENT else float(field)
        except ValueError:
            where = f"line {line}, column {shown(column)}"
            message = f"{shown(self.label)} holds {shown(field)} in {where}, which is not a number"
            raise wrong(self.plan.source.origin, "non-numeric-column", message) from None

    def _order(self, values: Array, rows: Sequence[str], columns: Sequence[str]) -> None:
        """Put columns into the order of the rows; `SpecError` where they are not the same ids, each once."""
        origin = self.plan.source.origin
        for names, what in ((rows, "rows"), (columns, "columns")):
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise wrong(origin, "duplicate-id", f"{shown(self.label)} has several {what} of id {shown(twice)}")
        if list(rows) == list(columns):
            return
        only = next((name for name in rows if name not in set(columns)), None)
        if only is not None:
            message = f"{shown(self.label)} has a row of id {shown(only)} and no such column"
            raise wrong(origin, "unaligned-data", message)
        if self.plan.triangle != "full":
            message = f"the rows and columns of {shown(self.label)} are in different orders, and a triangle needs one"
            raise wrong(origin, "unaligned-data", message)
        place = {name: index for index, name in enumerate(columns)}
        values[:] = values[:, [place[name] for name in rows]]


def _records(text: io.TextIOWrapper, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Every record with the line it starts at; blank lines are none."""
    reader = csv.reader(text, delimiter=delimiter)
    line = 1
    for fields in reader:
        if len(fields) > 1 or (fields and fields[0].strip()):
            yield line, fields
        line = reader.line_num + 1


def _is_float(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _no_square(plan: MatrixPlan, label: str, what: str) -> Exception:
    return wrong(plan.source.origin, "ragged-shape", f"{shown(label)} is no square: {what}")
