"""The splits of a feature set, as its plan asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from runexp.diagnostics import did_you_mean
from runexp.plan.data import DataPlan, SplitPlan
from runexp.plan.values import FrozenMap
from runexp.runtime.data.conditions import divide_where
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.several import SPLIT_OF_FILE
from runexp.runtime.data.shares import (
    divide_grouped,
    divide_ordered,
    divide_plain,
    divide_stratified,
    divide_stratified_grouped,
)
from runexp.runtime.data.strata import codes_of, renumbered, strata_of
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
        parts = _by_shares(splits, splits.shares, None, _rules(splits, source, column_of), seed=seed)
    _refuse_empty(splits, parts)
    if splits.group_by and splits.kind != "shares":
        _refuse_straddling(splits, parts, _present(splits, source, column_of(splits.group_by)))
    return (
        parts | _parts_within(splits, parts, _rules(splits, source, column_of), seed=seed) if splits.within else parts
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Rules:
    """What rows are divided by, (N,) of all rows each: their order, their classes, their groups."""

    n_rows: int
    order: Array | None
    strata: Array | None
    groups: Array | None


def _rules(splits: SplitPlan, source: Source, column_of: ColumnOf) -> _Rules:
    return _Rules(
        source.n_rows,
        _order(splits, source, column_of) if splits.kind == "order" else None,
        strata_of(splits, _present(splits, source, column_of(splits.stratify_by))) if splits.stratify_by else None,
        codes_of(_present(splits, source, column_of(splits.group_by))) if splits.group_by else None,
    )


def _parts_within(splits: SplitPlan, parts: Mapping[str, Array], rules: _Rules, *, seed: int) -> dict[str, Array]:
    """The parts of splits that are divided again, in the order written."""
    inner: dict[str, Array] = {}
    for name, shares in splits.within.items():
        whole = {**parts, **inner}
        if name not in whole:
            hint = did_you_mean(name, whole, kind="splits")
            message = f"there is no split {shown(name)} to divide again"
            raise wrong(splits.origin, "unknown-split", message, hint=hint)
        taken = set(shares) & set(whole)
        if taken:
            raise wrong(splits.origin, "name-clash", f"a part of {shown(name)} is called as a split is: {taken.pop()}")
        made = _by_shares(splits, shares, whole[name], rules, seed=derive_seed(seed, "within", name))
        _refuse_empty(replace(splits, shares=FrozenMap(shares)), made)
        inner |= made
    return inner


def _by_shares(
    splits: SplitPlan, written: Mapping[str, float], rows: Array | None, rules: _Rules, *, seed: int
) -> dict[str, Array]:
    """Some rows, or all, divided by shares and by the rules."""
    _check_shares(splits, written)
    names, shares = list(written), list(written.values())
    generator = np.random.default_rng(derive_seed(seed, "split"))
    inside = np.arange(rules.n_rows) if rows is None else rows
    if not len(inside):
        return dict.fromkeys(names, inside)
    strata = None if rules.strata is None else renumbered(rules.strata[inside])
    groups = None if rules.groups is None else renumbered(rules.groups[inside])
    if rules.order is not None:
        order = rules.order if rows is None else rules.order[np.isin(rules.order, rows)]
        return dict(zip(names, divide_ordered(order, shares, splits.gap), strict=True))
    if strata is not None and groups is not None:
        parts = divide_stratified_grouped(strata, groups, shares, generator)
    elif strata is not None:
        parts = divide_stratified(strata, shares, generator)
    elif groups is not None:
        parts = divide_grouped(groups, shares, generator)
    else:
        parts = divide_plain(len(inside), shares, generator)
    return {name: inside[part] for name, part in zip(names, parts, strict=True)}


def _check_shares(splits: SplitPlan, shares: Mapping[str, float]) -> None:
    total = sum(shares.values())
    if abs(total - 1) > _TOLERANCE:
        written = " + ".join(f"{share:g}" for share in shares.values()) or "nothing"
        raise wrong(splits.origin, "bad-shares", f"the shares of the splits add up to {total:g} ({written}), not to 1")


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


def _refuse_empty(splits: SplitPlan, parts: Mapping[str, Array]) -> None:
    for name, rows in parts.items():
        if len(rows) == 0 and splits.shares.get(name, 1):
            n_rows = sum(len(part) for part in parts.values())
            message = f"split {shown(name)} gets no rows of {n_rows}"
            is_shared = splits.kind in {"shares", "order"}
            hint = "there are too few rows (or groups) for this share" if is_shared else "no row meets what it asks for"
            raise wrong(splits.origin, "empty-split", message, hint=hint)


def _refuse_straddling(splits: SplitPlan, parts: Mapping[str, Array], groups: Column) -> None:
    codes = codes_of(groups)
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
