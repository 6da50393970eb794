"""The splits of a feature set, as its plan asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from runexp.plan.data import DataPlan, SplitPlan
from runexp.runtime.data.conditions import divide_where
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.several import SPLIT_OF_FILE
from runexp.runtime.data.shares import divide_grouped, divide_ordered, divide_plain, divide_stratified
from runexp.runtime.data.table import Array, Column, Source, make_column
from runexp.runtime.seeds import derive_seed

ColumnOf = Callable[[str], Column]
"""The values of a key or a column, by name."""

_TOLERANCE = 1e-6


def divide(plan: DataPlan, source: Source, column_of: ColumnOf, *, seed: int) -> dict[str, Array]:
    """Row indexes (int64, ascending) by the name of the split; no row is in two of them, unless asked for."""
    splits = plan.splits
    if splits.kind == "whole":
        return {"all": np.arange(source.n_rows)}
    if splits.kind == "column":
        parts = _by_value(splits, column_of(splits.column))
    elif splits.kind == "files":
        parts = _by_value(splits, source.column(SPLIT_OF_FILE, splits.origin))
    elif splits.kind == "where":
        parts = divide_where(splits, source, column_of)
    else:
        parts = _by_shares(plan, source, column_of, seed=seed)
    _refuse_empty(splits, parts)
    if splits.group_by and splits.kind != "shares":
        _refuse_straddling(splits, parts, _present(splits, source, column_of(splits.group_by)))
    return parts


def _by_shares(plan: DataPlan, source: Source, column_of: ColumnOf, *, seed: int) -> dict[str, Array]:
    splits = plan.splits
    _check_shares(splits)
    names, shares = list(splits.shares), list(splits.shares.values())
    generator = np.random.default_rng(derive_seed(seed, "split"))
    if splits.kind == "order":
        parts = divide_ordered(_order(splits, source, column_of), shares)
    elif splits.stratify_by:
        parts = divide_stratified(_codes(_present(splits, source, column_of(splits.stratify_by))), shares, generator)
    elif splits.group_by:
        parts = divide_grouped(_codes(_present(splits, source, column_of(splits.group_by))), shares, generator)
    else:
        parts = divide_plain(source.n_rows, shares, generator)
    return dict(zip(names, parts, strict=True))


def _check_shares(splits: SplitPlan) -> None:
    total = sum(splits.shares.values())
    if abs(total - 1) > _TOLERANCE:
        written = " + ".join(f"{share:g}" for share in splits.shares.values()) or "nothing"
        raise wrong(splits.origin, "bad-shares", f"the shares of the splits add up to {total:g} ({written}), not to 1")
    if splits.kind == "shares" and splits.stratify_by and splits.group_by:
        message = "`stratify_by` and `group_by` cannot both be kept"
        raise wrong(splits.origin, "exclusive-keys", message, hint="leave one of them out")


def _order(splits: SplitPlan, source: Source, column_of: ColumnOf) -> Array:
    if not splits.column:
        return np.arange(source.n_rows)
    values = _present(splits, source, column_of(splits.column)).values
    if values.ndim != 1:
        raise wrong(splits.origin, "ragged-shape", f"{shown(splits.column)} has several values a row: no order")
    return np.argsort(values, kind="stable")


def _by_value(splits: SplitPlan, column: Column) -> dict[str, Array]:
    if column.values.ndim != 1:
        raise wrong(splits.origin, "ragged-shape", f"{shown(splits.column)} has several values a row: no split name")
    present = np.ones(len(column.values), bool) if column.missing is None else ~column.missing
    values, first, codes = np.unique(column.values, return_index=True, return_inverse=True)
    order = sorted(range(len(values)), key=lambda code: int(first[code]))
    parts = ((split_label(values[code]), np.flatnonzero(present & (codes == code))) for code in order)
    found = {label: rows for label, rows in parts if len(rows)}
    if not found:
        raise wrong(splits.origin, "empty-split", f"column {shown(splits.column)} names no split: it has no values")
    return found


def split_label(value: Any) -> str:  # noqa: ANN401 - a scalar of any numpy type
    """The name of the split that a value of a column stands for."""
    is_whole_float = isinstance(value, np.floating) and float(value).is_integer()
    return str(int(value)) if is_whole_float else str(value)


def _present(splits: SplitPlan, source: Source, column: Column) -> Column:
    if column.missing is None:
        return column
    where = source.place(int(np.argmax(column.missing)))
    message = f"{shown(column.name)} has no value in {where}, so that the row cannot be divided by it"
    raise wrong(splits.origin, "missing-values", message)


def _codes(column: Column) -> Array:
    """(N,) whole numbers, equal where the rows' values are."""
    axis = None if column.values.ndim == 1 else 0
    flat = column.values if axis is None else column.values.reshape(len(column.values), -1)
    codes: Array = np.unique(flat, axis=axis, return_inverse=True)[1].reshape(-1)
    return codes


def _refuse_empty(splits: SplitPlan, parts: Mapping[str, Array]) -> None:
    for name, rows in parts.items():
        if len(rows) == 0 and splits.shares.get(name, 1):
            n_rows = sum(len(part) for part in parts.values())
            message = f"split {shown(name)} gets no rows of {n_rows}"
            hint = "there are too few rows (or groups) for this share"
            raise wrong(splits.origin, "empty-split", message, hint=hint)


def _refuse_straddling(splits: SplitPlan, parts: Mapping[str, Array], groups: Column) -> None:
    codes = _codes(groups)
    seen: dict[int, str] = {}
    for name, rows in parts.items():
        for code in np.unique(codes[rows]).tolist():
            if seen.setdefault(code, name) != name:
                value = groups.values[int(np.argmax(codes == code))]
                group = f"group {shown(value)} of {shown(splits.group_by)}"
                message = f"{group} is in split {shown(seen[code])} and in {shown(name)}"
                raise wrong(splits.origin, "group-straddle", message)


def column_of_key(name: str, values: Array) -> Column:
    """A key's array as a column to divide by; an empty text is a missing one."""
    return make_column(name, values, values == "" if values.dtype.kind == "U" else None)
