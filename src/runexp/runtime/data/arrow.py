"""From an Arrow column to an array: text, numbers, dates, and lists as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runexp.runtime.data.table import Array, Column, make_column


class UnequalRowsError(ValueError):
    """The lists of a column differ in length; `row` is the first that differs from row 0."""

    def __init__(self, row: int, length: int, expected: int) -> None:
        super().__init__(f"a list of {length} values where row 0 has {expected}")
        self.row = row
        self.length = length
        self.expected = expected


class UnreadableTextError(ValueError):
    """A text is not UTF-8 or holds a NUL; `row` is the first such."""

    def __init__(self, row: int, what: str) -> None:
        super().__init__(what)
        self.row = row


def to_column(name: str, chunked: Any, *, empty_is_missing: bool) -> Column:  # noqa: ANN401 - pyarrow has no types
    """The column of an Arrow array; with `empty_is_missing` an empty text is missing, as in CSV."""
    array = _one_chunk(chunked)
    missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    values = _values(array)
    if empty_is_missing and values.dtype.kind == "U":
        empty = values == ""
        missing = empty if missing is None else missing | empty
    return make_column(name, values, missing)


def _one_chunk(chunked: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    array = chunked.combine_chunks() if chunked.num_chunks != 1 else chunked.chunk(0)
    if isinstance(array, pa.ChunkedArray):  # an extension type without chunks
        array = array.chunk(0) if array.num_chunks else pa.array([], type=array.type)
    return array


def _values(array: Any) -> Array:  # noqa: ANN401 - pyarrow has no types
    kind = array.type
    if isinstance(kind, pa.FixedShapeTensorType):
        inner = tuple(kind.shape)
        return _values(array.storage).reshape(len(array), *inner)
    if pa.types.is_dictionary(kind):
        return _values(array.dictionary_decode())
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        is_text = pa.types.is_string_view(kind)
        return _values(array.cast(pa.large_string() if is_text else pa.large_binary()))
    if pa.types.is_null(kind):
        return np.full(len(array), np.nan)
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _lists(array)
    if (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    ):
        return _text(array)
    return _scalars(array)


def _scalars(array: Any) -> Array:  # noqa: ANN401 - pyarrow has no types
    kind = array.type
    if pa.types.is_decimal(kind):
        array = array.cast(pa.float64())
    elif pa.types.is_date(kind):
        return _times(array.cast(pa.timestamp("s")), "s").astype("datetime64[D]")
    if pa.types.is_timestamp(kind):
        return _times(array, kind.unit)
    numeric = pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_boolean(array.type)
    return _filled(array) if numeric else np.asarray(array.to_pylist(), dtype=object)


def _filled(array: Any) -> Array:  # noqa: ANN401 - pyarrow has no types
    if array.null_count:  # NaN where a row is missing
        array = array.cast(pa.float64())
    values: Array = array.to_numpy(zero_copy_only=False)
    return values


def _times(array: Any, unit: str) -> Array:  # noqa: ANN401 - pyarrow has no types
    ticks = pc.fill_null(array.cast(pa.int64()), np.iinfo(np.int64).min)  # what numpy takes for no time
    values: Array = ticks.to_numpy(zero_copy_only=False).view(f"datetime64[{unit}]")
    return values


def _text(array: Any) -> Array:  # noqa: ANN401 - pyarrow has no types
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        raise UnreadableTextError(_first_undecodable(array), "text that is not UTF-8")
    if pc.any(pc.match_substring(array, "\x00")).as_py():
        row = pc.index(pc.fill_null(pc.match_substring(array, "\x00"), False), True).as_py()
        raise UnreadableTextError(row, "a NUL character")
    filled = pc.fill_null(array, "") if array.null_count else array
    return np.asarray(filled.to_pylist(), dtype=str)


def _first_undecodable(array: Any) -> int:  # noqa: ANN401 - pyarrow has no types
    for row, value in enumerate(array.to_pylist()):
        try:
            (value or b"").decode()
        except UnicodeDecodeError:
            return row
    return 0


def _lists(array: Any) -> Array:  # noqa: ANN401 - pyarrow has no types
    lengths = pc.fill_null(pc.list_value_length(array), -1).to_numpy(zero_copy_only=False)
    present = lengths[lengths >= 0]
    expected = int(present[0]) if len(present) else 0
    uneven = np.flatnonzero((lengths >= 0) & (lengths != expected))
    if len(uneven):
        row = int(uneven[0])
        raise UnequalRowsError(row, int(lengths[row]), expected)
    try:
        inner = _values(array.drop_null().flatten())
    except UnequalRowsError as error:  # which counts rows of the lists inside
        row = int(np.flatnonzero(lengths >= 0)[error.row // expected])
        raise UnequalRowsError(row, error.length, error.expected) from error
    values = np.zeros((len(array), expected, *inner.shape[1:]), dtype=inner.dtype)
    values[lengths >= 0] = inner.reshape(len(present), expected, *inner.shape[1:])
    return values
