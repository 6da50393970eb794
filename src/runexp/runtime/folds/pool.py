"""The rows of a feature set that are pooled for folds, and what they are divided by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from runexp.diagnostics import did_you_mean
from runexp.plan.data import DataPlan, KeyPlan
from runexp.plan.folds import CVPlan, FoldedSet
from runexp.runtime.data.build import open_source
from runexp.runtime.data.gathering import gather
from runexp.runtime.data.matching import match_keys
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.splits import column_of_key, divide
from runexp.runtime.data.strata import codes_of, renumbered
from runexp.runtime.data.table import Array, Column, Source

_ID = "id"


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Pooled rows, ascending, and for each of them what was asked for; None where nothing was.

    `ids` are those of all rows of the set; `outside` the splits that stay as they are. `order` ranks the rows, `held`
    is the fold that holds a row out by the value of a column (-1: none), of `values`.
    """

    asked: FoldedSet
    rows: Array
    ids: Array
    has_ids: bool
    outside: Mapping[str, Array]
    classes: Array | None
    groups: Array | None
    order: Array | None
    values: Array | None
    held: Array | None


def read_pool(plan: DataPlan, asked: FoldedSet, cv: CVPlan, *, seed: int, folder: Path) -> Pool:
    """Read what a feature set is folded by; `SpecError` where that cannot be read, or where nothing is pooled."""
    reading = _Reading(plan, asked, open_source(plan, seed=seed, folder=folder))
    splits = divide(plan, reading.source, reading.column, seed=seed)
    names = _pooled(plan, asked, cv, splits)
    rows = np.unique(np.concatenate([splits[name] for name in names]))
    if not len(rows):
        raise wrong(asked.origin, "empty-split", f"no row of {shown(plan.name)} is pooled")
    outside = {name: held for name, held in splits.items() if name not in names and not np.isin(held, rows).any()}
    ids, has_ids = reading.ids()
    values, held = reading.held(asked.column, rows) if asked.column else (None, None)
    return Pool(
        asked=asked,
        rows=rows,
        ids=ids,
        has_ids=has_ids,
        outside=outside,
        classes=reading.codes(asked.stratify_by, rows) if asked.stratify_by else None,
        groups=reading.present(asked.group_by, rows) if asked.group_by else None,
        order=reading.ranks(asked.order_by, rows) if asked.order_by else None,
        values=values,
        held=held,
    )


def within(pool: Pool, rows: Array) -> Pool:
    """The pool without all rows but these; a value of a column that none of them has is no fold."""
    kept = np.isin(pool.rows, rows)
    values, held = pool.values, pool.held
    if values is not None and held is not None:
        known = np.unique(held[kept & (held >= 0)])
        values = values[known]
        held = np.where(held[kept] >= 0, np.searchsorted(known, held[kept]), -1)
        if len(values) < 2:
            message = (
                f"{shown(pool.asked.column)} has {len(values)} value{'s' * (len(values) != 1)}, and folds need two"
            )
            raise wrong(pool.asked.origin, "bad-folds", message)
    return replace(
        pool,
        rows=pool.rows[kept],
        classes=None if pool.classes is None else renumbered(pool.classes[kept]),
        groups=None if pool.groups is None else pool.groups[kept],
        order=None if pool.order is None else np.argsort(np.argsort(pool.order[kept], kind="stable"), kind="stable"),
        values=values,
        held=held,
    )


def _pooled(plan: DataPlan, asked: FoldedSet, cv: CVPlan, splits: Mapping[str, Array]) -> list[str]:
    """The splits that are pooled: those named, else those called like a part of a fold, else all rows."""
    if plan.splits.kind == "whole":
        return list(splits)
    for name in asked.pool:
        if name not in splits:
            hint = did_you_mean(name, splits, kind="splits")
            raise wrong(
                asked.origin, "unknown-split", f"{shown(plan.name)} has no split {shown(name)} to pool", hint=hint
            )
    names = list(asked.pool) or [name for name in cv.parts if name in splits]
    if not names:
        hint = f"say which: `pool: [{', '.join(splits)}]`"
        raise wrong(asked.origin, "missing-key", f"no split of {shown(plan.name)} is pooled", hint=hint)
    taken = [name for name in cv.parts if name in splits and name not in names]
    if taken:
        message = f"the split {shown(taken[0])} of {shown(plan.name)} is not pooled, and a part of each fold is too"
        raise wrong(asked.origin, "name-clash", message, hint="pool it, or give the part of the fold another name")
    return names


@dataclass(frozen=True, slots=True)
class _Reading:
    """Keys and columns of a source by name."""

    plan: DataPlan
    asked: FoldedSet
    source: Source

    def column(self, name: str) -> Column:
        """A key as it was read, or a column of the source."""
        key = next((key for key in self.plan.keys if key.name == name and not key.is_made), None)
        if key is not None:
            return column_of_key(name, self._read(key))
        if name not in self.source.names:
            known = [*(key.name for key in self.plan.keys), *self.source.names]
            message = f"folds of {shown(self.plan.name)} need {shown(name)}, which is no key or column"
            hint = did_you_mean(name, known, kind="keys and columns")
            raise wrong(self.asked.origin, "unknown-column", message, hint=hint)
        return self.source.column(name, self.asked.origin)

    def ids(self) -> tuple[Array, bool]:
        """The ids of all rows, and whether the set has any of its own."""
        key = next((key for key in self.plan.keys if key.name == _ID and key.domain == "tags"), None)
        values = self._read(key) if key is not None else None
        if values is None or values.ndim != 1:
            return np.arange(self.source.n_rows), False
        return values, True

    def codes(self, name: str, rows: Array) -> Array:
        """Whole numbers, equal where the values of the rows are."""
        column = self._complete(name, rows)
        return codes_of(Column(column.name, column.values[rows], None))

    def present(self, name: str, rows: Array) -> Array:
        """The values of the rows, of which none may be missing."""
        values: Array = self._complete(name, rows).values[rows]
        if values.ndim != 1:
            raise wrong(self.asked.origin, "ragged-shape", f"{shown(name)} has several values a row")
        return values

    def ranks(self, name: str, rows: Array) -> Array:
        """The rank of each row along a column; equal values keep the order of the source."""
        ranks: Array = np.empty(len(rows), np.int64)
        ranks[np.argsort(self.present(name, rows), kind="stable")] = np.arange(len(rows))
        return ranks

    def held(self, name: str, rows: Array) -> tuple[Array, Array]:
        """The values of a column in order, and for each row which of them it has; -1 where it has none."""
        column = self.column(name)
        values = column.values[rows]
        if values.ndim != 1:
            raise wrong(self.asked.origin, "ragged-shape", f"{shown(name)} has several values a row: no fold")
        there = np.ones(len(rows), bool) if column.missing is None else ~column.missing[rows]
        known = np.unique(values[there])
        if len(known) < 2:
            message = f"{shown(name)} has {len(known)} value{'s' * (len(known) != 1)}, and folds need two"
            raise wrong(self.asked.origin, "bad-folds", message)
        return known, np.where(there, np.searchsorted(known, values), -1)

    def _complete(self, name: str, rows: Array) -> Column:
        column = self.column(name)
        if column.missing is not None and column.missing[rows].any():
            row = int(rows[np.argmax(column.missing[rows])])
            message = f"{shown(name)} has no value in {self.source.place(row)}, so that the row fits no fold"
            raise wrong(self.asked.origin, "missing-values", message)
        return column

    def _read(self, key: KeyPlan) -> Array:
        matches = match_keys(self.plan, self.source, [])
        match = next((match for match in matches if match.key.name == key.name), None)
        if match is None:
            message = f"{shown(self.source.label)} has not the columns of {shown(key.name)}"
            raise wrong(key.origin, "unknown-column", message)
        return gather(match, self.source, keep_exact=False).raw
