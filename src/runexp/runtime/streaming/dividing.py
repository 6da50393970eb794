"""The splits of a streamed source: one pass over the columns they look at, a bit a row kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from runexp.plan.data import DataPlan, SplitPlan
from runexp.runtime.data.conditions import divide_where
from runexp.runtime.data.matching import references
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.several import SPLIT_OF_FILE
from runexp.runtime.data.shares import counts_of
from runexp.runtime.data.splits import split_label
from runexp.runtime.data.table import Array, Column, Source
from runexp.runtime.seeds import derive_seed
from runexp.runtime.streaming.chunks import Chunk
from runexp.runtime.streaming.membership import Members, MembersBuilder, everyone, packed
from runexp.runtime.streaming.parquet_files import ParquetFiles

ColumnOf = Callable[[Source, str], Column]
"""The values of a key or a column, by name, for some rows."""

Read = Callable[[Sequence[str]], Iterator[Chunk]]
"""One pass over what some names, keys or columns, need."""

_HELD_ALIKE = 1 << 24
"""Up to so many rows, shares draw the same rows as of a set in memory; a permutation of more takes too much."""

_BLOCK_ROWS = 1 << 20


def divide_stream(
    plan: DataPlan, files: ParquetFiles, read: Read, column_of: ColumnOf, *, seed: int
) -> dict[str, Members]:
    """The members of every split; `SpecError` where one is empty, or where rows cannot be divided as asked."""
    splits = plan.splits
    if splits.kind == "whole":
        return {"all": everyone(files.n_rows)}
    if splits.kind == "files":
        found = _by_file(files)
    elif splits.kind == "column":
        found = _by_value(splits, files.n_rows, read, column_of)
    elif splits.kind == "where":
        found = _by_conditions(splits, files.n_rows, read, column_of)
    else:
        found = _by_shares(splits, files.n_rows, read, column_of, seed=seed)
    _refuse_empty(splits, found)
    return found


def _by_file(files: ParquetFiles) -> dict[str, Members]:
    noted = MembersBuilder(files.n_rows)
    start = 0
    for part in files.parts:
        noted.add(part.partition[SPLIT_OF_FILE] or "", start, np.arange(part.n_rows))
        start += part.n_rows
    return noted.built()


def _by_value(splits: SplitPlan, n_rows: int, read: Read, column_of: ColumnOf) -> dict[str, Members]:
    noted = MembersBuilder(n_rows)
    for chunk in read([splits.column]):
        column = _flat(splits, column_of(chunk, splits.column))
        present = np.ones(len(column.values), bool) if column.missing is None else ~column.missing
        values, first, codes = np.unique(column.values, return_index=True, return_inverse=True)
        for code in np.argsort(first):
            rows = np.flatnonzero(present & (codes == code))
            if len(rows):
                noted.add(split_label(values[code]), chunk.start, rows)
    found = noted.built()
    if not found:
        message = f"column {shown(splits.column)} names no split: it has no values"
        raise wrong(splits.origin, "empty-split", message)
    return found


def _by_conditions(splits: SplitPlan, n_rows: int, read: Read, column_of: ColumnOf) -> dict[str, Members]:
    noted = MembersBuilder(n_rows)
    for chunk in read(references(splits)):
        parts = divide_where(splits, chunk, lambda name, chunk=chunk: column_of(chunk, name))  # type: ignore[misc]
        for name, rows in parts.items():
            noted.add(name, chunk.start, rows)
    return noted.built(tuple(splits.where))


def _by_shares(splits: SplitPlan, n_rows: int, read: Read, column_of: ColumnOf, *, seed: int) -> dict[str, Members]:
    names, shares = list(splits.shares), list(splits.shares.values())
    if splits.kind == "order":
        order = _order(splits, read, column_of) if splits.column else np.arange(n_rows)
        edges = np.cumsum(counts_of(n_rows, shares))[:-1]
        parts = np.split(order, edges)
    elif n_rows <= _HELD_ALIKE:  # the draw of `divide_plain`, without a sorted copy of its parts
        order = np.random.default_rng(derive_seed(seed, "split")).permutation(n_rows)
        parts = np.split(order, np.cumsum(counts_of(n_rows, shares))[:-1])
    else:
        return dict(zip(names, _drawn(n_rows, shares, derive_seed(seed, "split")), strict=True))
    return {name: _packed_rows(n_rows, rows) for name, rows in zip(names, parts, strict=True)}


def _order(splits: SplitPlan, read: Read, column_of: ColumnOf) -> Array:
    """Row numbers along a column, which is held for this alone: 16 bytes a row, let go of at once."""
    values: list[Array] = []
    for chunk in read([splits.column]):
        column = _flat(splits, column_of(chunk, splits.column))
        if column.missing is not None:
            where = f"{chunk.place(int(np.argmax(column.missing)))} of {shown(chunk.label)}"
            message = f"{shown(column.name)} has no value in {where}, so that the row cannot be divided by it"
            raise wrong(splits.origin, "missing-values", message)
        values.append(column.values)
    return np.argsort(np.concatenate(values), kind="stable")


def _drawn(n_rows: int, shares: Sequence[float], seed: int) -> list[Members]:
    """Rows drawn block by block, so that no permutation of all of them is held; the sizes are the shares' own."""
    edges = np.linspace(0, n_rows, max(1, n_rows // _BLOCK_ROWS) + 1).astype(np.int64)
    inside = [np.zeros(n_rows, bool) for _ in shares]
    for block, (start, stop) in enumerate(pairwise(edges.tolist())):
        counts = counts_of(stop, shares) - counts_of(start, shares)
        order = start + np.random.default_rng([seed, block]).permutation(stop - start)
        for rows, found in zip(np.split(order, np.cumsum(counts)[:-1]), inside, strict=True):
            found[rows] = True
    return [packed(found) for found in inside]


def _packed_rows(n_rows: int, rows: Array) -> Members:
    inside = np.zeros(n_rows, bool)
    inside[rows] = True
    return packed(inside)


def _flat(splits: SplitPlan, column: Column) -> Column:
    if column.values.ndim != 1:
        raise wrong(splits.origin, "ragged-shape", f"{shown(column.name)} has several values a row: no split by it")
    return column


def _refuse_empty(splits: SplitPlan, found: Mapping[str, Members]) -> None:
    for name, members in found.items():
        if not members.n_rows and splits.shares.get(name, 1):
            raise wrong(splits.origin, "empty-split", f"split {shown(name)} gets no rows")
