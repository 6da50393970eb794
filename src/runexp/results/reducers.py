"""How values along an axis become one. Each reducer gives the value and the weight that it stands for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import chain
from operator import add, mul
from typing import Any, TypeVar

T = TypeVar("T")

Reducer = Callable[[Sequence[T], Sequence[float]], tuple[T, float]]


def mean(values: Sequence[float], weights: Sequence[float]) -> tuple[float, float]:
    """The mean by weight; NaN where nothing has weight."""
    total = sum(weights)
    return (sum(map(mul, values, weights)) / total if total else float("nan")), total


def total(values: Sequence[float], weights: Sequence[float]) -> tuple[float, float]:
    """The plain sum; weights do not count."""
    return float(sum(values)), sum(weights)


def first(values: Sequence[T], weights: Sequence[float]) -> tuple[T, float]:
    """The value that stands first on the axis."""
    return values[0], weights[0]


def last(values: Sequence[T], weights: Sequence[float]) -> tuple[T, float]:
    """The value that stands last on the axis."""
    return values[-1], weights[-1]


def smallest(values: Sequence[float], weights: Sequence[float]) -> tuple[float, float]:
    """The smallest value; NaN only where there is nothing else."""
    return min(values, key=lambda value: (value != value, value)), sum(weights)


def largest(values: Sequence[float], weights: Sequence[float]) -> tuple[float, float]:
    """The largest value; NaN only where there is nothing else."""
    return max(values, key=lambda value: (value == value, value)), sum(weights)


def concatenated(values: Sequence[Any], weights: Sequence[float]) -> tuple[Any, float]:
    """The values joined along their first axis, in their own kind: tensor, array, list, tuple, …"""
    return _joiner(type(values[0]))(values), sum(weights)


def _joiner(kind: type) -> Callable[[Sequence[Any]], Any]:
    homes = {base.__module__.partition(".")[0] for base in kind.__mro__}
    # A value of a back end is here, so that back end is imported already.
    if "torch" in homes:
        return sys.modules["torch"].cat  # type: ignore[no-any-return]  # a module known at run time only
    if "numpy" in homes:
        return sys.modules["numpy"].concatenate  # type: ignore[no-any-return]  # a module known at run time only
    if kind in (list, tuple):
        return lambda values: kind(chain.from_iterable(values))
    return lambda values: reduce(add, values)


LOSS_REDUCERS: Mapping[str, Reducer[float]] = {"mean": mean, "sum": total, "first": first, "last": last}
METRIC_REDUCERS: Mapping[str, Reducer[float]] = {
    "first": first,
    "last": last,
    "min": smallest,
    "max": largest,
    "mean": mean,
}
TENSOR_REDUCERS: Mapping[str, Reducer[Any]] = {"first": first, "last": last, "concat": concatenated}
