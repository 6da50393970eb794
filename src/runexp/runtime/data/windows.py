"""Windows over the rows of a feature set: strided views, of which a split is the positions they start at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from runexp.plan.data import WindowPlan
from runexp.runtime.data.gathering import Gathered
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.splits import ColumnOf
from runexp.runtime.data.table import Array, Column, Source


@dataclass(frozen=True, slots=True, eq=False)
class Windowing:
    """How keys are seen through windows. A window is named by the position of its first row.

    `rows` (N,) are the source's rows by position: groups one behind the other, each in the order of time.
    """

    plan: WindowPlan
    rows: Array

    @property
    def n_starts(self) -> int:
        """Positions at which all that a window looks at lies within the rows."""
        return max(0, len(self.rows) - self.plan.reach + 1)

    def array(self, key: str, values: Array) -> Array:
        """(N, *shape) → (n_starts, length, *shape), or (n_starts, *shape) for one row alone; a view, read-only.

        Where rows lie last: (n_starts, *shape, length).
        """
        first, length = self.plan.cuts[key]
        if not length:
            return values[first:][: self.n_starts]
        if not self.n_starts:
            return np.empty((0, *self._shape(key, values.shape[1:])), values.dtype)
        seen = sliding_window_view(values[first:], length, axis=0)[: self.n_starts]
        return seen if key in self.plan.rows_last else np.moveaxis(seen, -1, 1)

    def tensor(self, key: str, values: Tensor) -> Tensor:
        """The same view of a tensor."""
        first, length = self.plan.cuts[key]
        if not length:
            return values[first:][: self.n_starts]
        if not self.n_starts:
            return values.new_empty((0, *self._shape(key, values.shape[1:])))
        seen = values[first:].unfold(0, length, 1)[: self.n_starts]
        return seen if key in self.plan.rows_last else seen.movedim(-1, 1)

    def by_row(self, key: str, values: Array) -> Array:
        """Values of windows (M, length, *shape), as rows (M · length, *shape); values of single rows as they are."""
        length = self.plan.cuts[key][1]
        if not length:
            return values
        seen = np.moveaxis(values, -1, 1) if key in self.plan.rows_last else values
        return seen.reshape(len(values) * length, *seen.shape[2:])

    def by_window(self, key: str, values: Array) -> Array:
        """What `by_row` took apart, put together again."""
        length = self.plan.cuts[key][1]
        if not length:
            return values
        seen = values.reshape(-1, length, *values.shape[1:])
        return np.moveaxis(seen, 1, -1) if key in self.plan.rows_last else seen

    def last(self, starts: Array) -> Array:
        """The positions of the last rows of windows."""
        return starts + self.plan.size - 1

    def _shape(self, key: str, shape: Sequence[int]) -> tuple[int, ...]:
        length = self.plan.cuts[key][1]
        return (*shape, length) if key in self.plan.rows_last else (length, *shape)


def open_windows(
    plan: WindowPlan, source: Source, column_of: ColumnOf, splits: Mapping[str, Array]
) -> tuple[Windowing, dict[str, Array]]:
    """The windows of a feature set, and for each split the starts (int64, ascending) of those that lie within it.

    `SpecError` where rows cannot be put in order, or where a split is too short for a single window.
    """
    windowing, is_cut = _ordered(plan, source, column_of)
    place = np.empty_like(windowing.rows)
    place[windowing.rows] = np.arange(len(place))
    starts = {}
    for name, rows in splits.items():
        runs = _runs(place[rows], is_cut)
        starts[name] = _starts(plan, *runs)
        if len(rows) and not len(starts[name]):
            raise _too_short(plan, name, int(runs[1].max()))
    return windowing, starts


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """Windows over all rows: `starts` (M,) ascending, `stride` apart, and the last of each group besides.

    `heads` are the positions at which groups begin; the longest has `n_longest` rows.
    """

    windowing: Windowing
    starts: Array
    heads: Array
    n_longest: int


def cover(plan: WindowPlan, source: Source, column_of: ColumnOf) -> Cover:
    """The windows that look at every row that any window can look at; none of a group that is too short for one."""
    windowing, is_cut = _ordered(plan, source, column_of)
    heads, lengths = _runs(np.arange(source.n_rows), is_cut)
    last = (heads + lengths - plan.reach)[lengths >= plan.reach]
    starts = np.union1d(_starts(plan, heads, lengths), last).astype(np.int64, copy=False)
    return Cover(windowing, starts, heads, int(lengths.max(initial=0)))


def in_order(windowing: Windowing, gathered: Mapping[str, Gathered]) -> dict[str, Gathered]:
    """The keys with their rows by position; arrays that keys share stay shared, and in order nothing is copied."""
    sorted_arrays: dict[int, Array] = {}

    def taken(values: Array) -> Array:
        if id(values) not in sorted_arrays:
            sorted_arrays[id(values)] = by_position(windowing, values)
        return sorted_arrays[id(values)]

    return {name: replace(found, raw=taken(found.raw), exact=taken(found.exact)) for name, found in gathered.items()}


def by_position(windowing: Windowing, values: Array) -> Array:
    """Rows of the source put in the order of windows."""
    rows = windowing.rows
    return values if np.array_equal(rows, np.arange(len(rows))) else values[rows]


def _ordered(plan: WindowPlan, source: Source, column_of: ColumnOf) -> tuple[Windowing, Array]:
    """The rows by group and time, and (N - 1,) where a new group begins."""
    groups = _codes(plan, source, column_of, plan.group_by) if plan.group_by else np.zeros(source.n_rows, np.int64)
    times = _times(plan, source, column_of) if plan.order else np.zeros(0)
    order = np.lexsort((times, groups) if plan.order else (groups,))
    return Windowing(plan, order), np.diff(groups[order]) != 0


def _codes(plan: WindowPlan, source: Source, column_of: ColumnOf, name: str) -> Array:
    """(N,) numbers of groups, in the order in which the source first has them."""
    values = _one_value(plan, _present(plan, source, column_of(name)))
    _, first, codes = np.unique(values, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    numbered: Array = rank[codes.reshape(-1)]
    return numbered


def _times(plan: WindowPlan, source: Source, column_of: ColumnOf) -> Array:
    return _one_value(plan, _present(plan, source, column_of(plan.order)))


def _present(plan: WindowPlan, source: Source, column: Column) -> Column:
    if column.missing is None:
        return column
    where = source.place(int(np.argmax(column.missing)))
    message = f"{shown(column.name)} has no value in {where}, so that the row stands in no window"
    raise wrong(plan.origin, "missing-values", message)


def _one_value(plan: WindowPlan, column: Column) -> Array:
    values = column.values
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        message = f"{shown(column.name)} has several values a row, by which no windows can be ordered or grouped"
        raise wrong(plan.origin, "ragged-shape", message)
    return values


def _runs(positions: Array, is_cut: Array) -> tuple[Array, Array]:
    """First positions and lengths of stretches of neighbours that are in one group. `is_cut` (N - 1,): a new group."""
    inside = np.sort(positions)
    if not len(inside):
        return inside, inside
    breaks = np.flatnonzero((np.diff(inside) != 1) | is_cut[inside[:-1]]) + 1
    first = np.concatenate([[0], breaks])
    return inside[first], np.diff(np.append(first, len(inside)))


def _starts(plan: WindowPlan, first: Array, lengths: Array) -> Array:
    """Every start in stretches of rows, `stride` apart, such that all a window looks at lies in the stretch."""
    counts = np.maximum((lengths - plan.reach) // plan.stride + 1, 0)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    starts: Array = np.repeat(first, counts) + plan.stride * offsets
    return starts.astype(np.int64, copy=False)


def _too_short(plan: WindowPlan, split: str, longest: int) -> Exception:
    ahead = plan.reach - plan.size
    needed = f"{plan.size} rows" + (f" and {ahead} more to predict" if ahead else "")
    message = f"split {shown(split)} has no window of {needed}: its longest stretch of rows in order has {longest}"
    return wrong(plan.origin, "empty-split", message, hint="a window lies within one split and one group")
