"""Stretches of a sorted order in which rows lie near a value, by bisection, and cells that near rows share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from runexp.runtime.data.table import Array

_MOST_CELLS = 2.0**40


def nearer(values: Array, spans: tuple[Array, Array], target: Array, distance: float) -> tuple[Array, Array]:
    """(n,), (n,) the stretch of sorted `values`, inside of each span, that is at most `distance` from the target.

    The differences themselves are compared, so that rounding is that of the condition on a pair.
    """

    def is_below(at: Array) -> Array:
        return np.asarray(target - values[at] > distance)

    def is_not_above(at: Array) -> Array:
        return np.asarray(values[at] - target <= distance)

    return _bisected(spans, is_below), _bisected(spans, is_not_above)


def nearer_than(values: Array, spans: tuple[Array, Array], target: Array, distance: float) -> tuple[Array, Array]:
    """The same stretch for less than `distance`; empty, and not reversed, where the distance is 0."""

    def is_below(at: Array) -> Array:
        return np.asarray(target - values[at] >= distance)

    def is_not_above(at: Array) -> Array:
        return np.asarray(values[at] - target < distance)

    low = _bisected(spans, is_below)
    return low, np.maximum(low, _bisected(spans, is_not_above))


def cells_of(values: Array, distance: float) -> Array:
    """(N,) int64: rows within the distance are in one cell or in neighbours."""
    span = float(np.ptp(values)) if len(values) else 0.0
    width = max(1.001 * distance, span / _MOST_CELLS) or 1.0  # a thousandth for what the division rounds
    cells: Array = np.floor((values - values.min(initial=np.inf)) / width).astype(np.int64)
    return cells


def _bisected(spans: tuple[Array, Array], is_before: Callable[[Array], Array]) -> Array:
    """(n,) the first position of each span for which `is_before` does not hold; it holds up to there."""
    low, high = spans
    for _ in range(int((high - low).max(initial=0)).bit_length()):
        is_open = low < high
        middle = (low + high) // 2
        goes_right = is_open & is_before(np.where(is_open, middle, 0))
        low, high = np.where(goes_right, middle + 1, low), np.where(is_open & ~goes_right, middle, high)
    return low
