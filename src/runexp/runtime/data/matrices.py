"""What goes into a transformer and what comes out: matrices, columns of text, sparse results with a limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from runexp.plan.data import TransformPlan
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.table import Array

LARGEST_DENSE = 2 * 2**30
"""Bytes of a sparse result that is made dense."""

Matrix = Any
"""(N, anything) an array, or (N, width) a sparse matrix."""


def flat(values: Matrix) -> Matrix:
    """(N, anything) → (N, width); (N,) is a column."""
    return values if sparse.issparse(values) else values.reshape(len(values), -1)


def side_by_side(parts: Sequence[Matrix], names: Sequence[str], transform: TransformPlan) -> Matrix:
    """Flat matrices of N rows as one; `SpecError` where some hold words and others numbers."""
    if len(parts) == 1:
        return parts[0]
    if any(sparse.issparse(part) for part in parts):
        return sparse.hstack(parts, format="csr")
    if len({part.dtype.kind in "biuf" for part in parts}) > 1:
        message = f"{', '.join(map(shown, names))} are words and numbers, which one matrix cannot hold"
        raise wrong(transform.origin, "mixed-columns", message, hint="transform each kind by itself")
    return np.concatenate(parts, axis=1)


def given(values: Matrix, names: Sequence[str], transform: TransformPlan) -> Matrix:
    """What a transformer is given: a matrix, or (N,) one value a row where it takes that."""
    if not transform.is_column:
        return values
    if values.shape[1] != 1:
        what = f"{', '.join(map(shown, names))} {'has' if len(names) == 1 else 'have'} {values.shape[1]} columns"
        message = f"{shown(transform.call.name)} takes one value a row, and {what}"
        raise wrong(transform.origin, "transform-failed", message, hint="give each column a key of its own")
    return values[:, 0]


def taken(result: Any, n_rows: int, transform: TransformPlan) -> Matrix:  # noqa: ANN401 - array, sparse, data frame
    """(N, width) float64 or words; a sparse result stays sparse where it would be too large."""
    if sparse.issparse(result):
        values = result.tocsr()
        dense = values.toarray().astype(np.float64, copy=False) if _n_bytes(values.shape) <= LARGEST_DENSE else values
    else:
        array = np.asarray(result)
        is_words = array.dtype.kind in "OU" and not _are_numbers(array)
        dense = array if is_words else array.astype(np.float64, copy=False)
    dense = dense.reshape(-1, 1) if dense.ndim == 1 else dense
    if dense.ndim != 2 or dense.shape[0] != n_rows:
        message = f"{shown(transform.call.name)} does not give one row for each row"
        raise wrong(transform.origin, "transform-failed", message)
    return dense


def dense_in_the_end(name: str, values: Matrix, transform: TransformPlan) -> Array:
    """The values as an array; `SpecError` where a sparse matrix is too large for that."""
    if not sparse.issparse(values):
        array: Array = values
        return array
    if _n_bytes(values.shape, 4) > LARGEST_DENSE:
        n_rows, width = values.shape
        size, most = _n_bytes(values.shape, 4) / 2**30, LARGEST_DENSE / 2**30
        message = f"{shown(name)} would be {n_rows} x {width} numbers, {size:.3g} GiB, and {most:g} GiB are the most"
        hint = "fewer columns (`max_features`, `n_features`), or `truncated_svd` as the next transform"
        raise wrong(transform.origin, "too-large", message, hint=hint)
    array = values.astype(np.float32).toarray()
    return array


def _n_bytes(shape: tuple[int, int], of_value: int = 8) -> int:
    return shape[0] * shape[1] * of_value


def _are_numbers(values: Array) -> bool:
    """Whether an array of objects holds numbers only."""
    return values.dtype.kind == "O" and all(isinstance(value, (int, float, np.number)) for value in values.flat)
