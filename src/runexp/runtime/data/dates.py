"""Dates and times as numbers: days since 1970, parts of the calendar, and places on its circles."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from runexp.plan.data import KeyPlan
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.table import Array, Column, Source, make_column

_DAY = 86_400_000_000  # microseconds
_MONDAY = 3  # days from the Thursday of 1970-01-01 back to its Monday


def n_values(key: KeyPlan) -> int:
    """How many numbers one date gives; 1 where the key has no dates."""
    return sum(2 if part.endswith("_cycle") else 1 for part in key.dates) or 1


def as_numbers(columns: list[Column], key: KeyPlan, source: Source) -> list[Column]:
    """The columns of numbers that dates become, in the order of `key.dates`; `SpecError` where one holds no dates."""
    return [number for column in columns for number in _parts(_times(column, key, source), key.dates)]


def _times(column: Column, key: KeyPlan, source: Source) -> Column:
    """The column as microseconds; text is read as ISO 8601."""
    if column.kind == "time" and column.values.dtype.kind == "M":
        return Column(column.name, column.values.astype("datetime64[us]"), column.missing)
    if column.kind != "text":
        message = f"column {shown(column.name)} of {shown(source.label)} holds no dates"
        raise wrong(key.origin, "wrong-type", message, hint="leave `dates` out for numbers")
    times = np.full(column.values.shape, np.datetime64("NaT"), "datetime64[us]")
    for row, text in enumerate(column.values.tolist()):
        try:
            times[row] = np.datetime64(text or "NaT")
        except (ValueError, TypeError):
            where = f"{source.place(row)} of {shown(source.label)}"
            message = f"column {shown(column.name)} holds {shown(text)} in {where}, which is no date"
            raise wrong(key.origin, "wrong-type", message, hint="dates are written as `2024-01-31`") from None
    return make_column(column.name, times, column.missing)


def _parts(column: Column, parts: tuple[str, ...]) -> Iterator[Column]:
    absent = np.isnat(column.values)
    present = np.where(absent, np.datetime64(0, "us"), column.values)
    for part in parts:
        name = part.removesuffix("_cycle")
        values = _NUMBERS[name](present).astype(np.float64)
        numbers = [values] if name == part else _on_circle(values, *_CIRCLES[name])
        for number in numbers:
            number[absent] = np.nan
            yield make_column(column.name, number, column.missing)


def _on_circle(values: Array, first: float, period: float) -> list[Array]:
    """The sine and the cosine of the place on a circle, so that the last is next to the first."""
    angle = 2 * np.pi * (values - first) / period
    return [np.sin(angle), np.cos(angle)]


def _days(times: Array) -> Array:
    return times.astype(np.int64) / _DAY


def _whole_days(times: Array) -> Array:
    return times.astype("datetime64[D]").astype(np.int64)


def _since(times: Array, unit: str) -> Array:
    """Days since the start of the month or year, from 0."""
    return _whole_days(times) - times.astype(f"datetime64[{unit}]").astype("datetime64[D]").astype(np.int64)


_NUMBERS: dict[str, Callable[[Array], Array]] = {
    "days": _days,
    "year": lambda times: times.astype("datetime64[Y]").astype(np.int64) + 1970,
    "month": lambda times: times.astype("datetime64[M]").astype(np.int64) % 12 + 1,
    "day": lambda times: _since(times, "M") + 1,
    "weekday": lambda times: (_whole_days(times) + _MONDAY) % 7,
    "yearday": lambda times: _since(times, "Y") + 1,
    "hour": lambda times: times.astype(np.int64) % _DAY / (_DAY / 24),
}
_CIRCLES = {"month": (1, 12), "day": (1, 31), "weekday": (0, 7), "yearday": (1, 365.25), "hour": (0, 24)}
