"""Many files read as one table: the same columns in each, rows in the order of the files' names."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
import pyarrow.parquet as pq

from runexp.plan.data import SourcePlan
from runexp.plan.values import Origin
from runexp.runtime.data.parquet import ParquetSource
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.table import Array, Column, Source, make_column

SPLIT_OF_FILE = "\0split"
"""A column that no source can have: the split a file is for. It is not among the names of the columns."""


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One file of many, its name for messages, and the columns its folders give it."""

    source: Source
    name: str
    partition: Mapping[str, str | None]


@dataclass(frozen=True, slots=True, eq=False)
class SeveralSource:
    """Files one below the other; `starts` are the rows they begin at."""

    label: str
    members: tuple[Member, ...]
    names: tuple[str, ...]
    starts: tuple[int, ...]
    n_rows: int
    fingerprint: str

    def column(self, name: str, origin: Origin) -> Column:
        if name in self.members[0].partition:
            return self._partition(name)
        columns = [member.source.column(name, origin) for member in self.members]
        _check_same(columns, self.members, origin)
        is_missing = any(column.missing is not None for column in columns)
        missing = np.concatenate([_missing(column) for column in columns]) if is_missing else None
        kinds = {column.kind for column in columns if column.n_missing < len(column.values)}
        values = np.concatenate([_as_text(column) if kinds == {"text"} else column.values for column in columns])
        return make_column(name, values, missing)

    def place(self, row: int) -> str:
        """The row of its own file, and which file that is."""
        index = bisect_right(self.starts, row) - 1
        member = self.members[index]
        return f"{member.source.place(row - self.starts[index])} of {shown(member.name)}"

    def _partition(self, name: str) -> Column:
        written = [member.partition[name] for member in self.members]
        counts = [member.source.n_rows for member in self.members]
        present = [value for value in written if value is not None]
        if present and all(_is_whole(value) for value in present):
            numbers = np.array([np.nan if value is None else int(value) for value in written])
            return make_column(name, np.repeat(numbers if None in written else numbers.astype(np.int64), counts))
        words = np.array([value or "" for value in written])
        missing = np.repeat([value is None for value in written], counts)
        return make_column(name, np.repeat(words, counts), missing)


def join_members(plan: SourcePlan, members: tuple[Member, ...]) -> SeveralSource:
    """One table of many files; `SpecError` where one has other columns than the first."""
    first = members[0]
    for member in members[1:]:
        _check_names(plan, first, member)
    twice = [name for name in first.source.names if name in first.partition]
    if twice:
        message = f"column {shown(twice[0])} is in {shown(first.name)} and in the name of its folder"
        raise wrong(plan.origin, "duplicate-column", message)
    ends = list(accumulate(member.source.n_rows for member in members))
    return SeveralSource(
        label=plan.path,
        members=members,
        names=(*first.source.names, *(name for name in first.partition if name != SPLIT_OF_FILE)),
        starts=(0, *ends[:-1]),
        n_rows=ends[-1],
        fingerprint=_fingerprint(members),
    )


def closed(source: ParquetSource) -> Source:
    """The same file, open only while it is read: there may be more files than a process can hold open."""
    source.file.close()
    return _Closed(source)


@dataclass(frozen=True, slots=True, eq=False)
class _Closed:
    inner: ParquetSource

    @property
    def label(self) -> str:
        return self.inner.label

    @property
    def names(self) -> tuple[str, ...]:
        return self.inner.names

    @property
    def n_rows(self) -> int:
        return self.inner.n_rows

    @property
    def fingerprint(self) -> str:
        return self.inner.fingerprint

    def column(self, name: str, origin: Origin) -> Column:
        try:
            with pq.ParquetFile(self.inner.path, page_checksum_verification=True) as file:
                return replace(self.inner, file=file).column(name, origin)
        except OSError as error:
            message = f"{shown(self.label)} can no longer be read"
            raise wrong(origin, "unreadable-file", message) from error

    def place(self, row: int) -> str:
        return self.inner.place(row)


def _check_names(plan: SourcePlan, first: Member, other: Member) -> None:
    ours = {*first.source.names, *first.partition}
    theirs = {*other.source.names, *other.partition}
    for name in (*first.source.names, *other.source.names, *first.partition, *other.partition):
        if name not in theirs or name not in ours:
            has, lacks = (first, other) if name in ours else (other, first)
            message = f"{shown(has.name)} has column {shown(name)} and {shown(lacks.name)} has not"
            raise wrong(plan.origin, "mixed-columns", message, hint="files of one source need the same columns")


def _check_same(columns: Sequence[Column], members: Sequence[Member], origin: Origin) -> None:
    """Numbers go with numbers, text with text; a column of one file that holds nothing goes with all."""
    seen: dict[str, int] = {}
    for index, column in enumerate(columns):
        if column.n_missing == len(column.values):
            continue
        what = f"{'numbers' if column.is_numeric else column.kind} of shape {column.values.shape[1:]}"
        seen.setdefault(what, index)
    if len(seen) < 2:
        return
    (one, first), (other, second) = list(seen.items())[:2]
    if columns[first].values.shape[1:] == columns[second].values.shape[1:]:
        one, other = (what.partition(" of shape")[0] for what in (one, other))
    where = f"{one} in {shown(members[first].name)} and {other} in {shown(members[second].name)}"
    raise wrong(origin, "mixed-columns", f"column {shown(columns[0].name)} holds {where}")


def _missing(column: Column) -> Array:
    return np.zeros(len(column.values), bool) if column.missing is None else column.missing


def _as_text(column: Column) -> Array:
    """A column of text; one of a file that has no value at all was read as something else."""
    return column.values if column.kind == "text" else np.full(len(column.values), "")


def _is_whole(value: str) -> bool:
    return value.isascii() and value.removeprefix("-").isdigit() and len(value) < 18


def _fingerprint(members: Sequence[Member]) -> str:
    digest = hashlib.sha256()
    for member in members:
        digest.update(f"{member.name}\0{member.source.fingerprint}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
