"""Splits by conditions on columns."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from runexp.plan.data import SplitPlan
from runexp.plan.values import Origin
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.table import Array, Column, Source

_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
COMPARISONS = (*_COMPARISONS, "in", "not_in")
"""What conditions are made of."""


def divide_where(splits: SplitPlan, source: Source, column_of: Callable[[str], Column]) -> dict[str, Array]:
    """The rows of every split that fulfil all of its conditions; a missing value fulfils none.

    `SpecError` where a column cannot be compared with what is written, and where a row is in two splits.
    """
    parts: dict[str, Array] = {}
    for name, conditions in splits.where.items():
        fulfils = np.ones(source.n_rows, bool)
        for column_name, comparisons in conditions.items():
            fulfils &= holds(splits.origin, column_of(column_name), comparisons)
        parts[name] = np.flatnonzero(fulfils)
    if not splits.allow_overlap:
        _refuse_overlap(splits, source, parts)
    return parts


def holds(origin: Origin, column: Column, comparisons: Mapping[str, Any]) -> Array:
    """Which rows of a column fulfil all comparisons (N,); `SpecError` at `origin` where it cannot be compared."""
    if column.values.ndim != 1:
        message = f"{shown(column.name)} has several values a row, which no condition can be put on"
        raise wrong(origin, "ragged-shape", message)
    fulfils: Array = np.ones(len(column.values), bool) if column.missing is None else ~column.missing
    for comparison, written in comparisons.items():
        if comparison in _COMPARISONS:
            fulfils &= _COMPARISONS[comparison](column.values, _value(origin, column, written))
            continue
        among = np.zeros(len(column.values), bool)
        for item in written:
            among |= column.values == _value(origin, column, item)
        fulfils &= among if comparison == "in" else ~among
    return fulfils


def _value(origin: Origin, column: Column, written: Any) -> Any:  # noqa: ANN401 - a scalar of a spec
    """What is written, as the column has it; `SpecError` where the two cannot be compared."""
    is_text = isinstance(written, str)
    if column.kind == "time" and is_text:
        try:
            return np.datetime64(written)
        except ValueError:
            pass
    elif (column.kind == "text" and is_text) or (column.is_numeric and not is_text):
        return written
    what = "times" if column.kind == "time" else "numbers" if column.is_numeric else column.kind
    message = f"{shown(column.name)} holds {what}, which cannot be compared with {shown(written)}"
    hint = "quote it" if column.kind == "text" else "write times as `2024-01-31`" if column.kind == "time" else ""
    raise wrong(origin, "wrong-value", message, hint=hint)


def _refuse_overlap(splits: SplitPlan, source: Source, parts: Mapping[str, Array]) -> None:
    owner = np.full(source.n_rows, -1)
    names = list(parts)
    for index, rows in enumerate(parts.values()):
        taken = rows[owner[rows] >= 0]
        if len(taken):
            row = int(taken[0])
            message = (
                f"{source.place(row)} of {shown(source.label)} is in split {shown(names[owner[row]])} and in "
                f"{shown(names[index])}; these have {len(taken)} row{'s' * (len(taken) > 1)} in common"
            )
            hint = "make the conditions exclude each other, or say `allow_overlap: true`"
            raise wrong(splits.origin, "overlapping-splits", message, hint=hint)
        owner[rows] = index
