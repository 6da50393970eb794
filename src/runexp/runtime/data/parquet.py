"""Parquet files: the schema first, then only the columns that are asked for."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from runexp.plan.data import SourcePlan
from runexp.plan.values import Origin
from runexp.runtime.data.arrow import UnequalRowsError, UnreadableTextError, to_column
from runexp.runtime.data.files import fingerprint, locate
from runexp.runtime.data.problems import first_line, shown, wrong
from runexp.runtime.data.table import Column

_HEAD_ROWS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class ParquetSource:
    """An open Parquet file; `starts` are the rows that its row groups begin at, where it has several."""

    path: Path
    file: Any
    names: tuple[str, ...]
    n_rows: int
    fingerprint: str
    starts: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        return self.path.name

    def column(self, name: str, origin: Origin) -> Column:
        where = f"column {shown(name)} of {shown(self.label)}"
        try:
            chunked = self.file.read(columns=[name]).column(name)
            chunked.validate(full=True)
            column = to_column(name, chunked, empty_is_missing=False)
        except UnequalRowsError as error:
            raise wrong(origin, "ragged-shape", f"{where} holds {error} in {self.place(error.row)}") from error
        except UnreadableTextError as error:
            raise wrong(origin, "unreadable-file", f"{where} holds {error} in {self.place(error.row)}") from error
        except (pa.ArrowException, OSError, ValueError, LookupError) as error:
            raise wrong(origin, "unreadable-file", f"{where} cannot be read: {first_line(error)}") from error
        if len(column.values) != self.n_rows:
            message = f"{where} has {len(column.values)} rows where the file has {self.n_rows}"
            raise wrong(origin, "unreadable-file", message)
        return column

    def place(self, row: int) -> str:
        if not self.starts:
            return f"row {row}"
        group = bisect_right(self.starts, row) - 1
        return f"row {row} (row {row - self.starts[group]} of row group {group})"


@dataclass(frozen=True, slots=True, eq=False)
class _Head:
    """The first rows of a file, read as the file itself is."""

    file: Any
    n_rows: int

    def read(self, *, columns: list[str]) -> Any:  # noqa: ANN401 - pyarrow has no types
        first = next(self.file.iter_batches(batch_size=self.n_rows, columns=columns))
        return pa.Table.from_batches([first.slice(0, self.n_rows)])


def open_parquet(plan: SourcePlan, folder: Path, *, is_head: bool = False) -> ParquetSource:
    """Open a Parquet file and check its schema; with `is_head` it gives its first rows only, and no fingerprint."""
    path = locate(plan, folder)
    digest = "" if is_head else fingerprint(plan, path)
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        names = tuple(file.schema_arrow.names)
        n_rows = int(file.metadata.num_rows)
    except (pa.ArrowException, OSError, ValueError) as error:
        message = f"{shown(path.name)} cannot be read: {first_line(error)}"
        raise wrong(plan.origin, "unreadable-file", message) from error
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise wrong(plan.origin, "duplicate-column", f"{shown(path.name)} has column {shown(twice)} twice")
    if n_rows == 0:
        raise wrong(plan.origin, "empty-source", f"{shown(path.name)} has no rows")
    if is_head:
        n_read = min(_HEAD_ROWS, file.metadata.row_group(0).num_rows)  # a batch may end where a group of rows does
        return ParquetSource(path, _Head(file, n_read), names, n_read, digest)
    return ParquetSource(path, file, names, n_rows, digest, _starts(file.metadata))


def _starts(metadata: Any) -> tuple[int, ...]:  # noqa: ANN401 - pyarrow has no types
    sizes = [int(metadata.row_group(index).num_rows) for index in range(metadata.num_row_groups)]
    return tuple(accumulate(sizes[:-1], initial=0)) if len(sizes) > 1 else ()
