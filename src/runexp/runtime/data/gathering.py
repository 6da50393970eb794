"""From columns to one array a key: checked, stacked, shaped, and coded where the target is text."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from runexp.diagnostics import Diagnostic
from runexp.plan.data import KeyPlan
from runexp.runtime.data.checks import (
    check_finite,
    check_fits,
    check_numeric,
    check_present,
    is_spoilt_number,
)
from runexp.runtime.data.dates import as_numbers, n_values
from runexp.runtime.data.matching import Match
from runexp.runtime.data.problems import shown, stop_at, wrong
from runexp.runtime.data.table import Array, Column, DType, Source

_MOST_COLUMNS = 5  # diagnostics of one key; a broken file has the same fault in all columns


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """The array of a key: `raw` (N, *shape) in its type, `exact` the same before it was rounded to that type.

    `classes` are the labels that the codes of a text target stand for.
    """

    key: KeyPlan
    raw: Array
    exact: Array
    classes: tuple[str, ...]
    n_missing: int


def gather(match: Match, source: Source, *, keep_exact: bool) -> Gathered:
    """Read and check the columns of a key; `SpecError` with every column that is wrong."""
    key = match.key
    columns = [source.column(name, key.origin) for name in match.columns]
    if key.dates and n_values(key) > 1:
        match = replace(match, is_single=False)
    if key.is_mask:
        return _mask(match, [column for column in columns for _ in range(n_values(key))])
    if key.is_tokens:
        points = columns[0].values  # codes take their place as soon as a tokenizer has learnt them
        return Gathered(key, points, points, (), 0)
    if key.dates:
        columns = as_numbers(columns, key, source)
    is_text = all(column.kind == "text" for column in columns)
    _check(key, columns, source, is_text=is_text)
    _refuse_uneven(key, columns)
    n_missing = sum(column.n_missing for column in columns)
    if key.words or (is_text and key.domain != "features"):
        texts = [_with_gaps(column) if key.words and key.gaps else column.values for column in columns]
        values = _shaped(match, np.stack(texts, axis=1), columns[0])
        if key.domain == "tags" or key.words:
            return Gathered(key, values, values, (), n_missing)
        labels, codes = np.unique(values, return_inverse=True)
        raw = codes.reshape(values.shape).astype(key.dtype or "int64")
        return Gathered(key, raw, raw, tuple(str(label) for label in labels), n_missing)
    dtype = dtype_of(key, columns)
    held = [_zeroed(column) for column in columns] if key.gaps == "zero" and dtype.kind in "iub" else columns
    _stop_at_columns([check_fits(column, dtype, source, key.origin) for column in held] if _casts(dtype) else [])
    raw = _shaped(match, _stacked(held, dtype), columns[0])
    exact = _shaped(match, _stacked(columns, np.dtype("float64")), columns[0]) if keep_exact else raw
    return Gathered(key, np.nan_to_num(raw, nan=0) if key.gaps == "zero" else raw, exact, (), n_missing)


def _mask(match: Match, columns: list[Column]) -> Gathered:
    """1 where a column has a value."""
    ones = [np.ones(column.values.shape, np.float32) for column in columns]
    for array, column in zip(ones, columns, strict=True):
        if column.missing is not None:
            array[column.missing] = 0
    values = _shaped(match, np.stack(ones, axis=1), columns[0])
    return Gathered(match.key, values, values, (), 0)


def _with_gaps(column: Column) -> Array:
    """The values of a column of text as objects, NaN where there is none, as an imputer wants them."""
    if column.kind != "text" or column.missing is None:
        return column.values
    values = column.values.astype(object)
    values[column.missing] = np.nan
    return values


def _zeroed(column: Column) -> Column:
    """Whole numbers hold no NaN: 0 stands where there is no value, as it does in the end."""
    if column.missing is None:
        return column
    values = column.values.copy()
    values[column.missing] = 0
    return replace(column, values=values, missing=None)


def dtype_of(key: KeyPlan, columns: list[Column]) -> DType:
    """The type of a key of numbers: as written, else by its domain."""
    if key.dtype:
        return np.dtype(key.dtype)
    if key.domain == "features":
        return np.dtype("float32")
    if key.domain == "tags":
        return np.result_type(*(column.values.dtype for column in columns))
    is_whole = all(column.kind in {"integer", "bool"} for column in columns)
    return np.dtype("int64" if is_whole else "float32")


def _casts(dtype: DType) -> bool:
    return dtype.kind in "biuf"


def _check(key: KeyPlan, columns: list[Column], source: Source, *, is_text: bool) -> None:
    """Tags are kept as they are; what is fed or compared with must be finite numbers, or words that will be coded.

    It must be complete, unless missing values will be filled or masked.
    """
    if key.domain == "tags" or key.words:
        if key.dtype and not key.words:
            _stop_at_columns([check_numeric(column, source, key.origin) for column in columns])
        elif len({column.is_numeric or column.kind for column in columns}) > 1:
            message = f"the columns of {shown(key.name)} are of different kinds, which one array cannot hold"
            raise wrong(key.origin, "mixed-columns", message, hint="give each kind a key of its own")
        if key.domain != "tags" and not key.gaps:
            _stop_at_columns([check_present(column, source, key.origin) for column in columns])
        return
    coded = is_text and key.domain == "targets" and not key.dtype.startswith("float")
    found: list[Diagnostic | None] = []
    for column in columns:
        wants_numbers = not coded or is_spoilt_number(column)
        found.append(
            (check_numeric(column, source, key.origin) if wants_numbers else None)
            or (None if key.gaps else check_present(column, source, key.origin))
            or check_finite(column, source, key.origin)
        )
    _stop_at_columns(found)


def _stop_at_columns(found: list[Diagnostic | None]) -> None:
    stop_at([diagnostic for diagnostic in found if diagnostic is not None][:_MOST_COLUMNS])


def _stacked(columns: list[Column], dtype: DType) -> Array:
    """(N, k, *inner), filled column by column, so that no second copy of the table is held."""
    first = columns[0].values
    stacked = np.empty((len(first), len(columns), *first.shape[1:]), dtype=dtype)
    for index, column in enumerate(columns):
        stacked[:, index] = column.values
    return stacked


def _shaped(match: Match, stacked: Array, first: Column) -> Array:
    """(N, *shape): as the key asks, else one axis for its columns unless a single one was named."""
    key, n_rows = match.key, len(stacked)
    if key.shape is not None:
        if math.prod(key.shape) != math.prod(stacked.shape[1:]):
            raise _ragged(key, stacked.shape[1:])
        return stacked.reshape(n_rows, *key.shape)
    keeps_axis = not match.is_single or (key.domain == "features" and first.values.ndim == 1)
    return stacked if keeps_axis else stacked[:, 0]


def _ragged(key: KeyPlan, shape: tuple[int, ...]) -> Exception:
    wanted = "x".join(str(size) for size in key.shape or ())
    message = f"a row of {shown(key.name)} has {math.prod(shape)} values, which do not fill its shape {wanted}"
    return wrong(key.origin, "ragged-shape", message)


def _refuse_uneven(key: KeyPlan, columns: list[Column]) -> None:
    """Columns of arrays can be gathered only when their rows have one shape."""
    first = columns[0]
    for column in columns[1:]:
        if column.values.shape != first.values.shape:
            message = f"columns {shown(first.name)} and {shown(column.name)} of {shown(key.name)} differ in shape"
            raise wrong(key.origin, "ragged-shape", message)
