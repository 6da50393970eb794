"""Rows of a feature set as an Arrow table or a pandas data frame."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from runexp.runtime.data.table import Array


def to_table(columns: Iterable[tuple[str, Array]], masked: Array) -> pa.Table:
    """A column for each array (N, *shape), lists where a row has several values; null where a row is masked (N,)."""
    named = {name: _column(values, masked if masked.any() else None) for name, values in columns}
    return pa.table(named)


def to_frame(table: pa.Table) -> Any:  # noqa: ANN401 - pandas has no types here
    """The table in pandas; `ImportError` that says how to install it where it is absent."""
    try:
        importlib.import_module("pandas")
    except ImportError as error:
        error.add_note("`pip install pandas`, or take `to_arrow()`, which needs nothing more")
        raise
    return table.to_pandas()


def _column(values: Array, masked: Array | None) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values, mask=masked) if values.dtype.kind != "U" else _text(values, masked)
    inner = pa.array(np.ascontiguousarray(values).reshape(-1).astype(_plain(values), copy=False))
    for size in reversed(values.shape[1:]):
        inner = pa.FixedSizeListArray.from_arrays(inner, size)
    if masked is None:
        return inner
    return pa.FixedSizeListArray.from_arrays(inner.values, values.shape[1], mask=pa.array(masked))


def _plain(values: Array) -> Any:  # noqa: ANN401 - a numpy type
    """Text as objects, which Arrow takes."""
    return object if values.dtype.kind == "U" else values.dtype


def _text(values: Array, masked: Array | None) -> pa.Array:
    return pa.array(values.astype(object), pa.string(), mask=masked)
