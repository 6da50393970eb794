"""Rows of a streamed source, some at a time, each some a source of its own: so are they gathered and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from runexp.plan.values import Origin
from runexp.runtime.data.arrow import UnequalRowsError, UnreadableTextError, to_column
from runexp.runtime.data.problems import first_line, shown, wrong
from runexp.runtime.data.table import Column, make_column
from runexp.runtime.streaming.parquet_files import ParquetFiles, RowGroup, partition_values

_CHUNK_BYTES = 1 << 20
"""Decoded at once: what is done to a chunk then stays in the processor's cache."""

_FEWEST_ROWS, _MOST_ROWS = 1024, 16_384


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Neighbouring rows of one file; `start` is the number of its first row in the whole source.

    It is a source like any other: its rows count from 0, and it says where they stand in their file.
    """

    label: str
    names: tuple[str, ...]
    table: Any
    folders: Mapping[str, Column]
    start: int
    start_in_part: int
    fingerprint: str = ""

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return int(self.table.num_rows)

    @property
    def stop(self) -> int:
        """The number of the row after its last, in the whole source."""
        return self.start + self.n_rows

    def column(self, name: str, origin: Origin) -> Column:
        """One column of these rows; `SpecError` where it cannot be read."""
        if name in self.folders:
            return _repeated(self.folders[name], self.n_rows)
        try:
            return to_column(name, pa.chunked_array([self.table.column(name)]), empty_is_missing=False)
        except (UnequalRowsError, UnreadableTextError) as error:
            code = "ragged-shape" if isinstance(error, UnequalRowsError) else "unreadable-file"
            raise wrong(origin, code, f"{self._named(name)} holds {error} in {self.place(error.row)}") from error
        except (pa.ArrowException, ValueError, LookupError) as error:
            raise wrong(
                origin, "unreadable-file", f"{self._named(name)} cannot be read: {first_line(error)}"
            ) from error

    def place(self, row: int) -> str:
        """The row of its file."""
        return f"row {self.start_in_part + row}"

    def _named(self, column: str) -> str:
        return f"column {shown(column)} of {shown(self.label)}"


def chunks(files: ParquetFiles, names: Sequence[str], groups: Sequence[RowGroup] | None = None) -> Iterator[Chunk]:
    """The rows of some groups, or of all, in their order, as far as some columns go.

    `SpecError` where a file is gone, damaged, or another than when the run began.
    """
    known = {name for part in files.parts for name in part.partition} & set(names)
    folders = {name: partition_values(files, name) for name in known}
    for group in files.groups if groups is None else groups:
        yield from _group(files, names, group, folders)


def _group(
    files: ParquetFiles, names: Sequence[str], group: RowGroup, folders: Mapping[str, Column]
) -> Iterator[Chunk]:
    part = files.parts[group.part]
    inside = {name: _one(column, group.part) for name, column in folders.items() if name in part.partition}
    wanted = [name for name in names if name not in inside]
    row = 0
    try:
        with part.opened() as file:
            for batch in _batches(file, group, wanted, _chunk_rows(files, group, wanted)):
                batch.validate(full=True)
                yield Chunk(part.name, tuple(names), batch, inside, group.start + row, group.start_in_part + row)
                row += batch.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        message = f"{shown(part.name)} cannot be read from row {group.start_in_part + row} on: {first_line(error)}"
        raise wrong(part.origin, "unreadable-file", message) from error
    if row != group.n_rows:
        message = f"{shown(part.name)} has {row} rows where its footer says {group.n_rows}, in group {group.index}"
        raise wrong(part.origin, "unreadable-file", message)


def _chunk_rows(files: ParquetFiles, group: RowGroup, names: Sequence[str]) -> int:
    row_bytes = files.bytes_of(group, names) // group.n_rows
    return min(max(_CHUNK_BYTES // max(1, row_bytes), _FEWEST_ROWS), _MOST_ROWS)


def _batches(file: Any, group: RowGroup, names: Sequence[str], n_rows: int) -> Iterator[Any]:  # noqa: ANN401 - pyarrow has no types
    if names:
        yield from file.iter_batches(batch_size=n_rows, row_groups=[group.index], columns=list(names))
        return
    empty = pa.array(np.empty(group.n_rows, bool))  # only what folders give was asked for
    yield pa.record_batch([empty], names=[""])


def _one(column: Column, index: int) -> Column:
    missing = None if column.missing is None else column.missing[index : index + 1]
    return make_column(column.name, column.values[index : index + 1], missing)


def _repeated(column: Column, n_rows: int) -> Column:
    missing = None if column.missing is None else np.repeat(column.missing, n_rows)
    return make_column(column.name, np.repeat(column.values, n_rows), missing)
