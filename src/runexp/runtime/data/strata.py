"""Rows as classes and groups to divide by: equal values are one, numbers are cut into quantiles where asked."""

from __future__ import annotations

import numpy as np

from runexp.plan.data import SplitPlan
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.table import Array, Column

_MOST_CLASSES = 20  # numbers of so few different values are classes without a doubt


def codes_of(column: Column) -> Array:
    """(N,) whole numbers from 0, equal where the rows' values are."""
    axis = None if column.values.ndim == 1 else 0
    flat = column.values if axis is None else column.values.reshape(len(column.values), -1)
    codes: Array = np.unique(flat, axis=axis, return_inverse=True)[1].reshape(-1)
    return codes


def strata_of(splits: SplitPlan, column: Column) -> Array:
    """(N,) the class of every row; `SpecError` for numbers that are no classes."""
    if splits.n_bins:
        return _quantiles(splits, column)
    codes = codes_of(column)
    sizes = np.bincount(codes)
    divided = [splits.shares, *splits.within.values()]
    n_parts = max(sum(share > 0 for share in shares.values()) for shares in divided)
    n_lonely = int(sizes[sizes < n_parts].sum())
    if column.is_numeric and len(sizes) > _MOST_CLASSES and 2 * n_lonely > len(codes):
        what = f"{shown(column.name)} has {len(sizes)} different numbers in {len(codes)} rows"
        message = f"{what}, which are no classes to stratify by"
        raise wrong(splits.origin, "wrong-value", message, hint="`stratify_bins: 10` cuts them into quantiles")
    return codes


def renumbered(codes: Array) -> Array:
    """Codes of some of the rows, from 0 without gaps."""
    again: Array = np.unique(codes, return_inverse=True)[1].reshape(-1)
    return again


def _quantiles(splits: SplitPlan, column: Column) -> Array:
    if not column.is_numeric or column.values.ndim != 1:
        message = f"{shown(column.name)} holds no single numbers, and `stratify_bins` cuts numbers into quantiles"
        raise wrong(splits.origin, "wrong-value", message, hint="leave out `stratify_bins`: words are classes")
    values = column.values.astype(np.float64)
    edges = np.quantile(values, np.linspace(0, 1, splits.n_bins + 1)[1:-1])
    return renumbered(np.searchsorted(edges, values, side="right"))
