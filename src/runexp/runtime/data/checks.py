"""What a column must be before a network sees it: numbers, all there, finite, and within its type."""

from __future__ import annotations

import re

import numpy as np

from runexp.diagnostics import Diagnostic
from runexp.plan.values import Origin
from runexp.runtime.data.problems import problem, shown
from runexp.runtime.data.table import Array, Column, DType, Source

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*|\s*[+-]?(nan|inf|infinity)\s*", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?\b")
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
_ABSENT = frozenset({"", "NA", "N/A", "n/a", "#N/A", "NULL", "null", "NaN", "nan"})  # pyarrow's own, for numbers


def check_present(column: Column, source: Source, origin: Origin) -> Diagnostic | None:
    """No row may be missing."""
    if column.missing is None:
        return None
    where = source.place(int(np.argmax(column.missing)))
    message = f"column {shown(column.name)} of {shown(source.label)} has no value in {where}"
    more = column.n_missing - 1
    if more:
        message += f" and in {more} other{'s' if more > 1 else ''}"
    hint = "fill them by a transform (`use: simple_imputer`), say `missing: mask` at the key, or drop these rows"
    return problem(origin, "missing-values", message, hint=hint)


def check_finite(column: Column, source: Source, origin: Origin) -> Diagnostic | None:
    """No value may be infinite."""
    if column.kind != "float" or not (bad := np.isinf(column.values)).any():
        return None
    message = f"{_first(column, bad, source)}, which is not finite"
    return problem(origin, "non-finite-values", message)


def check_numeric(column: Column, source: Source, origin: Origin) -> Diagnostic | None:
    """Every value must be a number; names the first that is not."""
    if column.is_numeric:
        return None
    row = first_word(column)
    value = str(column.values[row])
    where = f"{source.place(row)} of {shown(source.label)}"
    what = "is text, not a number" if column.kind == "text" else "is not a number"
    message = f"column {shown(column.name)} holds {shown(value)} in {where}, which {what}"
    if _DECIMAL_COMMA.fullmatch(value):
        hint = "write decimals with a point"
    elif _DATE.match(value):
        hint = "`dates: days` at the key (or `month`, `weekday`, …) makes numbers of dates"
    elif column.kind == "text" and not is_spoilt_number(column):
        hint = "`categorical: one_hot` (or `ordinal`) at a key of its own codes words"
    else:
        hint = "mend the value, or leave it empty and say how gaps are filled"
    return problem(origin, "non-numeric-column", message, hint=hint)


def check_fits(column: Column, dtype: DType, source: Source, origin: Origin) -> Diagnostic | None:
    """The type of the key must be able to hold every value."""
    bad = _misfits(column.values, dtype)
    if not bad.any():
        return None
    message = f"{_first(column, bad, source)}, which {dtype} cannot hold"
    return problem(origin, "lossy-dtype", message)


def first_word(column: Column) -> int:
    """The first row of a text column that is neither a number nor empty; 0 where there is none."""
    if column.kind != "text":
        return 0
    return next((row for row, value in enumerate(column.values.flat) if not _is_number(value)), 0)


def is_spoilt_number(column: Column) -> bool:
    """Whether a text column looks like numbers with a few words among them, rather than names of classes."""
    numeric = sum(_NUMBER.fullmatch(value) is not None for value in column.values.flat)
    return numeric < column.values.size - column.n_missing and 2 * numeric > column.values.size


def _is_number(value: str) -> bool:
    return value in _ABSENT or _NUMBER.fullmatch(value) is not None


def _misfits(values: Array, dtype: DType) -> Array:
    if dtype.kind == "b":
        other: Array = np.logical_and(values != 0, values != 1)
        return other
    if dtype.kind == "f":
        if values.dtype.kind != "f" or values.dtype.itemsize <= dtype.itemsize:
            return np.zeros(1, bool)
        too_large: Array = np.abs(values) > _LARGEST_FLOAT32
        return too_large
    bits = 8 * dtype.itemsize - (dtype.kind == "i")
    lowest = -float(2**bits) if dtype.kind == "i" else 0.0
    # Powers of two are exact in float64, the largest int64 is not: hence the strict comparison.
    outside = np.logical_or(values < lowest, values >= float(2**bits))
    is_fraction = values != np.floor(values) if values.dtype.kind == "f" else False
    misfits: Array = np.logical_or(outside, is_fraction)
    return misfits


def _first(column: Column, bad: Array, source: Source) -> str:
    place = np.unravel_index(int(np.argmax(bad)), bad.shape)
    value, where = column.values[place], source.place(int(place[0]))
    return f"column {shown(column.name)} holds {shown(value)} in {where} of {shown(source.label)}"
