"""A feature set whose rows stream by: what its keys are made of, and how rows become arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runexp.plan.data import DataPlan, KeyPlan
from runexp.runtime.data.fitted import Fitted
from runexp.runtime.data.gathering import Gathered, gather
from runexp.runtime.data.matching import Match
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.splits import column_of_key
from runexp.runtime.data.table import Array, Column, Source
from runexp.runtime.streaming.chunks import Chunk, chunks
from runexp.runtime.streaming.membership import Members, inside
from runexp.runtime.streaming.parquet_files import ParquetFiles, RowGroup
from runexp.runtime.streaming.transforms import applied

_ID = "id"
_BLOCK_ROWS = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class StreamedKey:
    """A key of a stream: its columns, the labels its codes stand for, its transformers, and the type of its arrays.

    `classes` is empty but for a target of text, `dtype` while that is not known yet.
    """

    match: Match
    classes: Array
    steps: tuple[Fitted, ...]
    dtype: str

    @property
    def key(self) -> KeyPlan:
        """The key as planned."""
        return self.match.key

    def read(self, chunk: Chunk, rows: Array) -> Gathered:
        """Some rows of a chunk, checked as a table in memory is; before any transformer."""
        found = gather(self.match, chunk, keep_exact=bool(self.steps))
        raw = self._coded(found.raw, chunk) if len(self.classes) else found.raw
        exact = raw if found.exact is found.raw else found.exact
        is_all = len(rows) == chunk.n_rows
        if not is_all:
            raw, exact = raw[rows], exact[rows]
        return Gathered(found.key, raw, exact, tuple(self.classes.tolist()), found.n_missing)

    def exact(self, chunk: Chunk, rows: Array) -> Array:
        """(n, *shape): what the next transformer would be given: float64, or words."""
        found = gather(self.match, chunk, keep_exact=True)
        values = self._coded(found.exact, chunk) if len(self.classes) else found.exact
        values = values[rows]
        if len(self.classes) or not self.key.words:
            values = values.astype(np.float64, copy=False)
        return self._applied(values, chunk, rows)

    def array(self, chunk: Chunk, rows: Array) -> Array:
        """(n, *shape): what a node receives."""
        if not self.steps:
            found = self.read(chunk, rows).raw
            return found if not self.dtype else found.astype(self.dtype, copy=False)
        values = self.exact(chunk, rows)
        return self.rounded(np.nan_to_num(values, nan=0) if self._may_lack else values)

    def rounded(self, values: Array) -> Array:
        """Transformed values in the type of the key; `SpecError` where that takes whole numbers and they are none."""
        dtype = np.dtype(self.dtype)
        if dtype.kind != "f" and not (values == np.floor(values)).all():
            message = f"{shown(self.key.name)} is {dtype}, and its transformed values are not whole numbers"
            raise wrong(self.key.origin, "lossy-dtype", message, hint="write `dtype: float32`")
        return values.astype(dtype)

    @property
    def _may_lack(self) -> bool:
        return self.key.gaps == "zero"

    def _applied(self, values: Array, chunk: Chunk, rows: Array) -> Array:
        return applied(self.key.name, self.steps, values, chunk, rows, may_lack=self._may_lack)

    def _coded(self, words: Array, chunk: Chunk) -> Array:
        codes = np.searchsorted(self.classes, words).clip(0, len(self.classes) - 1)
        is_known = self.classes[codes] == words
        if not is_known.all():
            row = int(np.argmin(is_known.reshape(len(words), -1).all(axis=1)))
            where = f"{chunk.place(row)} of {shown(chunk.label)}"
            message = f"{shown(self.key.name)} holds another word in {where} than when the run began"
            raise wrong(self.key.origin, "unreadable-file", message)
        return codes.astype(self.key.dtype or "int64")


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """A source read by groups of rows, its keys and its splits. Nothing of its rows is held."""

    plan: DataPlan
    files: ParquetFiles
    keys: Mapping[str, StreamedKey]
    splits: Mapping[str, Members]

    @property
    def n_rows(self) -> int:
        """How many rows the source has."""
        return self.files.n_rows

    def columns_of(self, names: Sequence[str]) -> tuple[str, ...]:
        """The columns that keys, or columns named outright, are read from."""
        found: dict[str, None] = {}
        for name in names:
            found |= dict.fromkeys(self.keys[name].match.columns if name in self.keys else (name,))
        return tuple(found)

    def chunks(self, names: Sequence[str], groups: Sequence[RowGroup] | None = None) -> Iterator[Chunk]:
        """The rows of some groups, or of all, with what some keys or columns need."""
        return chunks(self.files, self.columns_of(names), groups)

    def column_of(self, source: Source, name: str) -> Column:
        """What rows are divided by: a key as it was read, or a column."""
        if name in self.keys:
            return column_of_key(name, gather(self.keys[name].match, source, keep_exact=False).raw)
        return source.column(name, self.plan.splits.origin)

    def memberships(self) -> Iterator[tuple[Array, Array, Mapping[str, Array]]]:
        """Numbers, ids and splits of some rows at a time; ids are the tag `id` where there is one."""
        has_ids = self._has_ids
        for start in range(0, 0 if has_ids else self.n_rows, _BLOCK_ROWS):
            stop = min(start + _BLOCK_ROWS, self.n_rows)
            rows = np.arange(start, stop)
            yield rows, rows, dict(inside(self.splits, start, stop))
        for chunk in self.chunks([_ID]) if has_ids else ():
            rows = np.arange(chunk.start, chunk.stop)
            ids = self.keys[_ID].read(chunk, rows - chunk.start).raw
            yield rows, ids, dict(inside(self.splits, chunk.start, chunk.stop))

    def described(self, split: str, keys: Sequence[str]) -> Iterator[tuple[Array, Array, list[Array]]]:
        """Numbers, ids and keys as they were read, of the rows of a split, some at a time, in their order."""
        names = [*keys, *([_ID] if self._has_ids else [])]
        if not names:
            for numbers, ids, splits in self.memberships():
                yield numbers[splits[split]], ids[splits[split]], []
            return
        members = self.splits[split]
        for chunk in self.chunks(names):
            rows = np.flatnonzero(members.inside(chunk.start, chunk.stop))
            read = [self.keys[name].read(chunk, rows).raw for name in names]
            yield rows + chunk.start, read.pop() if self._has_ids else rows + chunk.start, read

    def rows(
        self, split: str, keys: Sequence[str], groups: Sequence[RowGroup] | None = None
    ) -> Iterator[tuple[Array, ...]]:
        """The rows of a split in some groups, or in all, in their order, some at a time: (n, *shape) a key."""
        members = self.splits[split]
        for chunk in self.chunks(keys, groups):
            inside = np.flatnonzero(members.inside(chunk.start, chunk.stop))
            if len(inside):
                yield tuple(self.keys[name].array(chunk, inside) for name in keys)

    @property
    def _has_ids(self) -> bool:
        """Whether rows are known by the tag `id`."""
        tag = self.keys.get(_ID)
        return tag is not None and tag.key.domain == "tags" and tag.match.is_single
