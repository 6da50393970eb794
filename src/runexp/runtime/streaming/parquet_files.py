"""The Parquet files of a streamed source: their row groups, and what must be the same in all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from runexp.plan.data import SourcePlan
from runexp.plan.values import Origin
from runexp.runtime.data.files import locate
from runexp.runtime.data.finding import find_files
from runexp.runtime.data.parquet import ParquetSource
from runexp.runtime.data.problems import first_line, shown, wrong
from runexp.runtime.data.several import SPLIT_OF_FILE, Member, SeveralSource, join_members
from runexp.runtime.data.table import Array, Column, DType, make_column

Partition = Mapping[str, str | None]
Sort = Literal["numbers", "text", "times", "nothing", "lists", "other"]

BUFFER_BYTES = 1 << 18
"""Of a column read ahead of its decoding; a group of rows is never held whole."""


@dataclass(frozen=True, slots=True, eq=False)
class ParquetPart:
    """One file: what its footer says, and how it looked when it was opened.

    It is a member of the table that all files make.
    """

    path: Path
    name: str
    partition: Partition
    metadata: Any
    schema: Any
    stamp: tuple[int, int]
    fingerprint: str
    origin: Origin

    @property
    def label(self) -> str:
        return self.path.name

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.schema.names)

    @property
    def n_rows(self) -> int:
        return int(self.metadata.num_rows)

    def column(self, name: str, origin: Origin) -> Column:
        """The whole of one column; rows are otherwise read by group."""
        with self.opened() as file:
            return ParquetSource(self.path, file, self.names, self.n_rows, self.fingerprint).column(name, origin)

    def place(self, row: int) -> str:
        return f"row {row}"

    def opened(self) -> Any:  # noqa: ANN401 - pyarrow has no types
        """The file, open to be read; `SpecError` where it is gone or another than when the run began."""
        try:
            if _stamp(self.path) != self.stamp:
                message = f"{shown(self.name)} has changed since the run began"
                raise wrong(self.origin, "unreadable-file", message, hint="files must stay as they are during a run")
            return pq.ParquetFile(
                self.path,
                metadata=self.metadata,
                pre_buffer=False,
                buffer_size=BUFFER_BYTES,
                page_checksum_verification=True,
            )
        except (pa.ArrowException, OSError, ValueError) as error:
            message = f"{shown(self.name)} can no longer be read: {first_line(error)}"
            raise wrong(self.origin, "unreadable-file", message) from error


@dataclass(frozen=True, slots=True)
class RowGroup:
    """The rows of a source that are read together: which group of which file, and the row they start at."""

    part: int
    index: int
    start: int
    start_in_part: int
    n_rows: int


@dataclass(frozen=True, slots=True, eq=False)
class ParquetFiles:
    """All files of a source as one table, in the order of their names."""

    label: str
    table: SeveralSource
    parts: tuple[ParquetPart, ...]
    groups: tuple[RowGroup, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, those that folders give at the end."""
        return self.table.names

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return self.table.n_rows

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the footers and sizes of the files."""
        return self.table.fingerprint

    def sort_of(self, name: str) -> Sort:
        """What a column holds in every file."""
        return _sort(self.parts[0].schema.field(name).type) if name in self.parts[0].names else "other"

    def arrow_types(self, name: str) -> list[Any]:
        """The Arrow type of a column in each file."""
        return [part.schema.field(name).type for part in self.parts if name in part.names]

    def may_lack(self, name: str) -> bool:
        """Whether a value of a column may be missing, as far as the statistics of the groups tell."""
        return any(_may_lack(part, name) for part in self.parts)

    def bytes_of(self, group: RowGroup, names: Sequence[str]) -> int:
        """What the columns of a group take, unpacked."""
        metadata = self.parts[group.part].metadata.row_group(group.index)
        columns = (metadata.column(index) for index in range(metadata.num_columns))
        wanted = set(names)
        return sum(
            int(column.total_uncompressed_size)
            for column in columns
            if column.path_in_schema.partition(".")[0] in wanted
        )


def open_files(plan: SourcePlan, folder: Path) -> ParquetFiles:
    """Open every file and compare their schemas; `SpecError` where one cannot be read or is unlike the others."""
    parts = tuple(_parts(plan, folder, {}))
    joined = join_members(plan, tuple(Member(part, part.name, part.partition) for part in parts))
    _check_sorts(parts, joined.names)
    label = parts[0].label if len(parts) == 1 else joined.label or "the files of the splits"
    return ParquetFiles(label, joined, parts, tuple(_groups(parts)))


def partition_values(files: ParquetFiles, name: str) -> Column:
    """The value that each file's folders give to a column, one a file: whole numbers where all of them are."""
    written = [part.partition[name] for part in files.parts]
    present = [value for value in written if value is not None]
    if present and all(value.removeprefix("-").isdigit() and len(value) < 18 for value in present):
        numbers: Array = pa.array([None if value is None else int(value) for value in written]).to_numpy(
            zero_copy_only=False
        )
        return make_column(name, numbers)
    words: Array = pa.array([value or "" for value in written]).to_numpy(zero_copy_only=False).astype(str)
    missing: Array = pa.array([value is None for value in written]).to_numpy(zero_copy_only=False)
    return make_column(name, words, missing)


def numpy_type(kind: Any) -> DType:  # noqa: ANN401 - pyarrow has no types
    """The type that numbers of an Arrow type have as an array."""
    if pa.types.is_decimal(kind):
        return np.dtype("float64")
    found: DType = pa.array([], kind).to_numpy(zero_copy_only=False).dtype
    return found


def _parts(plan: SourcePlan, folder: Path, partition: Partition) -> Iterator[ParquetPart]:
    if plan.kind == "files":
        for split, source in plan.parts.items():
            yield from _parts(source, folder, {SPLIT_OF_FILE: split})
        return
    files = find_files(plan, folder)
    if files is None:
        path = locate(plan, folder)
        yield _part(plan, path, path.name, partition)
        return
    for file in files:
        yield _part(plan, file.path, file.name, {**file.partition, **partition})


def _part(plan: SourcePlan, path: Path, name: str, partition: Partition) -> ParquetPart:
    try:
        stamp = _stamp(path)
        with pq.ParquetFile(path) as file:
            metadata, schema = file.metadata, file.schema_arrow
        digest = _fingerprint(path, stamp[0])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise wrong(plan.origin, "unreadable-file", f"{shown(name)} cannot be read: {first_line(error)}") from error
    twice = [column for column in schema.names if schema.names.count(column) > 1]
    if twice:
        raise wrong(plan.origin, "duplicate-column", f"{shown(name)} has column {shown(twice[0])} twice")
    if metadata.num_rows == 0:
        raise wrong(plan.origin, "empty-source", f"{shown(name)} has no rows")
    return ParquetPart(path, name, partition, metadata, schema, stamp, digest, plan.origin)


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _fingerprint(path: Path, size: int) -> str:
    """SHA-256 of the footer and the size: to read the whole of a large file first would cost as much as an epoch."""
    with path.open("rb") as stream:
        stream.seek(max(0, size - 8))
        length = int.from_bytes(stream.read(4), "little")
        stream.seek(max(0, size - 8 - length))
        return hashlib.sha256(b"%d\0" % size + stream.read()).hexdigest()


def _groups(parts: Sequence[ParquetPart]) -> Iterator[RowGroup]:
    start = 0
    for number, part in enumerate(parts):
        in_part = 0
        for index in range(part.metadata.num_row_groups):
            n_rows = part.metadata.row_group(index).num_rows
            if n_rows:
                yield RowGroup(number, index, start, in_part, n_rows)
            start, in_part = start + n_rows, in_part + n_rows


def _check_sorts(parts: Sequence[ParquetPart], names: Sequence[str]) -> None:
    """Numbers go with numbers, text with text; a column that holds nothing goes with all."""
    for name in names:
        seen: dict[str, ParquetPart] = {}
        for part in parts:
            sort = _sort(part.schema.field(name).type) if name in part.names else "nothing"
            if sort != "nothing":
                seen.setdefault(sort, part)
        if len(seen) > 1:
            (one, first), (other, second) = list(seen.items())[:2]
            where = f"{one} in {shown(first.name)} and {other} in {shown(second.name)}"
            raise wrong(first.origin, "mixed-columns", f"column {shown(name)} holds {where}")


def _sort(kind: Any) -> Sort:  # noqa: ANN401 - pyarrow has no types
    if pa.types.is_dictionary(kind):
        return _sort(kind.value_type)
    for sort, tests in _SORTS:
        if any(test(kind) for test in tests):
            return sort
    return "other"


def _may_lack(part: ParquetPart, name: str) -> bool:
    if name not in part.names:
        return part.partition.get(name) is None
    metadata = part.metadata
    index = next((i for i in range(metadata.num_columns) if metadata.schema.column(i).path == name), None)
    if index is None:
        return True
    known = [metadata.row_group(group).column(index).statistics for group in range(metadata.num_row_groups)]
    return any(found is None or not found.has_null_count or found.null_count for found in known)


_SORTS: tuple[tuple[Sort, tuple[Any, ...]], ...] = (
    ("nothing", (pa.types.is_null,)),
    ("numbers", (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)),
    ("text", (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)),
    ("times", (pa.types.is_temporal,)),
    ("lists", (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)),
)
