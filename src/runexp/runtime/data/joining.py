"""Several sources as one table: the columns of others beside those of the first, matched by an id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from runexp.diagnostics import Diagnostic, did_you_mean
from runexp.plan.data import DataPlan, JoinPlan, KeyPlan
from runexp.plan.values import Origin
from runexp.runtime.data.labels import as_labels
from runexp.runtime.data.matching import Match
from runexp.runtime.data.problems import problem, shown, wrong
from runexp.runtime.data.table import Array, Column, Source, make_column

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, eq=False)
class JoinedTable:
    """A source with the columns of others as `<data>.<column>`.

    `rows` are, by that data, the row of the other source that belongs to each row (N,); -1 where there is none.
    """

    own: Source
    others: Mapping[str, Source]
    rows: Mapping[str, Array]
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        return self.own.label

    @property
    def n_rows(self) -> int:
        return self.own.n_rows

    @property
    def fingerprint(self) -> str:
        parts = [self.own.fingerprint, *(other.fingerprint for other in self.others.values())]
        return sha256("\n".join(parts).encode()).hexdigest()

    def column(self, name: str, origin: Origin) -> Column:
        if name in self.own.names:
            return self.own.column(name, origin)
        data = next((data for data in self.others if name.startswith(f"{data}.")), "")
        if not data:
            return self.own.column(name, origin)
        column = self.others[data].column(name.removeprefix(f"{data}."), origin)
        return _taken(name, column, self.rows[data])

    def place(self, row: int) -> str:
        return self.own.place(row)


def join_tables(own: Source, plans: Sequence[JoinPlan], others: Sequence[Source]) -> JoinedTable:
    """Match the rows of a source with those of others; `SpecError` where an id stands twice in one of them."""
    rows = {plan.data: _matched(own, plan, other) for plan, other in zip(plans, others, strict=True)}
    by_name = {plan.data: other for plan, other in zip(plans, others, strict=True)}
    joined = (f"{data}.{name}" for data, other in by_name.items() for name in other.names)
    return JoinedTable(own, by_name, rows, (*own.names, *joined))


def check_matched(plan: DataPlan, table: Source) -> Iterator[Diagnostic]:
    """A joined set that has no row for some rows, unless all of its keys say what becomes of missing values."""
    if not isinstance(table, JoinedTable):
        return
    for join in plan.joins:
        lacking = np.flatnonzero(table.rows[join.data] < 0)
        strict = [key.name for key in plan.keys if _is_strict(key, join)]
        if not len(lacking) or not strict:
            continue
        ids = as_labels(table.own.column(join.on, join.origin).values[lacking[:_MOST_NAMED]])
        more = f" and {len(lacking) - _MOST_NAMED} more" if len(lacking) > _MOST_NAMED else ""
        message = (
            f"{shown(join.data)} has no row for {len(lacking)} of {table.n_rows} rows of {shown(plan.name)}: "
            f"`{join.on}` {', '.join(map(shown, ids))}{more}"
        )
        hint = f"`missing: mask` at {shown(strict[0])}, or an imputer among the transforms, takes such rows"
        yield problem(join.origin, "missing-values", message, hint=hint)


def without_joined(matches: Sequence[Match], plan: DataPlan) -> tuple[Match, ...]:
    """The matches whose columns are all the set's own."""
    others = tuple(f"{join.data}." for join in plan.joins)
    return tuple(match for match in matches if not any(column.startswith(others) for column in match.columns))


def _is_strict(key: KeyPlan, join: JoinPlan) -> bool:
    """Whether a key takes columns of a joined set and no missing values."""
    takes = any(column.startswith(f"{join.data}.") for column in key.columns)
    return takes and key.domain != "tags" and not key.gaps and not key.is_mask


def _matched(own: Source, plan: JoinPlan, other: Source) -> Array:
    """The row of the other source that belongs to each row, -1 where there is none."""
    mine, theirs = _ids(own, plan.on, plan.origin), _ids(other, plan.other, plan.origin)
    known = _places(plan, other, theirs, as_labels(theirs.values, like=mine.values))
    found = np.array([known.get(name, -1) for name in as_labels(mine.values, like=theirs.values)], dtype=np.int64)
    if mine.missing is not None:
        found[mine.missing] = -1
    if len(found) and (found < 0).all():
        raise wrong(plan.origin, "unaligned-data", _nothing_matched(own, plan, other, mine, theirs))
    return found


def _ids(source: Source, name: str, origin: Origin) -> Column:
    """The column that rows are matched by; `SpecError` where it is absent or holds several values a row."""
    if name not in source.names:
        message = f"{shown(source.label)} has no column {shown(name)} to match rows by"
        raise wrong(origin, "unknown-column", message, hint=did_you_mean(name, source.names, kind="columns"))
    column = source.column(name, origin)
    if column.values.ndim != 1:
        message = f"{shown(name)} has several values a row, by which no rows are matched"
        raise wrong(origin, "ragged-shape", message)
    return column


def _places(plan: JoinPlan, other: Source, ids: Column, names: Sequence[str]) -> dict[str, int]:
    """The row of each id of the joined set; `SpecError` where one stands twice."""
    known: dict[str, int] = {}
    for row, name in enumerate(names):
        if ids.missing is not None and ids.missing[row]:
            continue
        first = known.setdefault(name, row)
        if first != row:
            where = f"{other.place(first)} and {other.place(row)} of {shown(other.label)}"
            message = (
                f"rows of {shown(plan.data)} are matched by {shown(plan.other)}, and {shown(name)} stands in {where}"
            )
            raise wrong(plan.origin, "duplicate-id", message, hint="the column of the joined set must be unique")
    return known


def _nothing_matched(own: Source, plan: JoinPlan, other: Source, mine: Column, theirs: Column) -> str:
    here, there = (", ".join(map(shown, as_labels(column.values[:_MOST_NAMED]))) for column in (mine, theirs))
    return (
        f"no row of {shown(own.label)} has one in {shown(other.label)}: "
        f"{shown(plan.on)} is {here} … in the one, {shown(plan.other)} is {there} … in the other"
    )


def _taken(name: str, column: Column, rows: Array) -> Column:
    """The values of the matched rows; missing where there is none."""
    is_absent = rows < 0
    if not len(column.values):
        return make_column(name, np.full(len(rows), np.nan), np.ones(len(rows), bool))
    values = column.values[np.where(is_absent, 0, rows)]
    if not is_absent.any():
        return make_column(name, values, None if column.missing is None else column.missing[rows])
    missing = is_absent if column.missing is None else is_absent | column.missing[np.where(is_absent, 0, rows)]
    return make_column(name, _emptied(values, is_absent), missing)


def _emptied(values: Array, is_absent: Array) -> Array:
    """What stands in a missing row: NaN, no time, or an empty text."""
    if values.dtype.kind in "biu":
        values = values.astype(np.float64)
    nothing = {"f": np.nan, "M": np.datetime64("NaT"), "m": np.timedelta64("NaT"), "U": ""}.get(values.dtype.kind)
    values[is_absent] = nothing
    return values
