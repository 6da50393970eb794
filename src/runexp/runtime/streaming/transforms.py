"""Transformers fitted while the rows of a split stream by, and applied to rows as they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from runexp.plan.data import TransformPlan
from runexp.plan.streaming import CODERS, class_of, is_learned_by_rows
from runexp.runtime.data.coding import prepare_coder
from runexp.runtime.data.fitted import Fitted, scikit_learn_at
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.table import Array
from runexp.runtime.resolve import make
from runexp.runtime.streaming.chunks import Chunk

_FIT_ROWS = 16_384  # given at once: some transformers need more rows than they give columns


class Learner(Protocol):
    """A transformer being fitted."""

    def take(self, values: Array) -> None:
        """Learn from rows (n, *shape)."""

    def fitted(self) -> Any:  # noqa: ANN401 - any transformer
        """The transformer, fitted on all rows taken."""


def learner_of(transform: TransformPlan, seed: int) -> Learner:
    """What fits a transformer row by row: its own `partial_fit`, the categories seen, or nothing to learn."""
    transformer = _seeded(make(transform.call), seed)
    if class_of(transform.call) in CODERS:
        return _Categories(transformer)
    if callable(getattr(transformer, "partial_fit", None)):
        return _Incremental(transformer)
    if is_learned_by_rows(transform.call):
        return _Stateless(transformer)
    message = f"{shown(transform.call.name)} is fitted on all rows at once, and its rows are streamed"
    raise wrong(transform.origin, "not-streamed", message, hint="`stream: false` holds all rows in memory")


class _Incremental:
    """Rows are given in blocks; what is left over goes with the last one."""

    def __init__(self, transformer: Any) -> None:  # noqa: ANN401 - any transformer
        self._transformer = transformer
        self._waiting: list[Array] = []
        self._ready: Array | None = None

    def take(self, values: Array) -> None:
        self._waiting.append(values.reshape(len(values), -1))
        if sum(map(len, self._waiting)) >= _FIT_ROWS:
            self._learn()
            self._ready, self._waiting = np.concatenate(self._waiting), []

    def fitted(self) -> Any:  # noqa: ANN401 - any transformer
        blocks = [] if self._ready is None else [self._ready]
        self._ready = np.concatenate([*blocks, *self._waiting])
        self._learn()
        return self._transformer

    def _learn(self) -> None:
        if self._ready is not None:
            self._transformer.partial_fit(self._ready)
            self._ready = None


class _Categories:
    """Only the categories of each column are kept; an encoder learns nothing else."""

    def __init__(self, transformer: Any) -> None:  # noqa: ANN401 - any transformer
        self._transformer = transformer
        self._known: list[Array] = []

    def take(self, values: Array) -> None:
        columns = [np.unique(column) for column in values.reshape(len(values), -1).T]
        known = self._known or [column[:0] for column in columns]
        self._known = [np.union1d(old, new) for old, new in zip(known, columns, strict=True)]

    def fitted(self) -> Any:  # noqa: ANN401 - any transformer
        most = max(map(len, self._known))
        rows = np.stack([np.pad(column, (0, most - len(column)), mode="edge") for column in self._known], axis=1)
        return prepare_coder(self._transformer, rows).fit(rows)


class _Stateless:
    """Any row tells all there is to know: the number of columns."""

    def __init__(self, transformer: Any) -> None:  # noqa: ANN401 - any transformer
        self._transformer = transformer
        self._is_fitted = False

    def take(self, values: Array) -> None:
        if not self._is_fitted:
            self._transformer.fit(values.reshape(len(values), -1))
            self._is_fitted = True

    def fitted(self) -> Any:  # noqa: ANN401 - any transformer
        return self._transformer


def first_use(transform: TransformPlan, transformer: Any, values: Array) -> Fitted:  # noqa: ANN401
    """A fitted transformer with the shapes of a row before and after it; `values` (n, *shape) are some rows."""
    with scikit_learn_at(transform.origin):
        result = _dense(transformer.transform(values.reshape(len(values), -1)))
    if result.ndim != 2 or len(result) != len(values):
        message = f"{shown(transform.call.name)} does not give one row for each row"
        raise wrong(transform.origin, "transform-failed", message)
    shape_in = values.shape[1:]
    shape_out = shape_in if result.shape[1] == int(np.prod(shape_in)) else (result.shape[1],)
    return Fitted(transformer, transform, shape_in, shape_out)


def applied(name: str, steps: Sequence[Fitted], values: Array, chunk: Chunk, rows: Array, *, may_lack: bool) -> Array:
    """Rows (n, *shape) of a key after all steps; `rows` are their numbers in the chunk, for messages."""
    for step in steps:
        flat = values.reshape(len(values), -1)
        _check_known(name, step, flat, chunk, rows)
        with scikit_learn_at(step.origin):
            values = _dense(step.transformer.transform(flat)).reshape(len(values), *step.shape_out)
        is_fine: Array = np.logical_or(np.isfinite(values), may_lack & np.isnan(values))
        if not is_fine.all():
            where = _place(chunk, rows, np.asarray(is_fine.reshape(len(values), -1).all(axis=1)))
            what = f"{shown(type(step.transformer).__name__)} turns {shown(name)} in {where}"
            raise wrong(step.origin, "non-finite-values", f"{what} into a value that is not finite")
    return values


def _check_known(name: str, step: Fitted, flat: Array, chunk: Chunk, rows: Array) -> None:
    categories = getattr(step.transformer, "categories_", None)
    if categories is None or step.transformer.get_params(deep=False).get("handle_unknown") != "error":
        return
    for known, column in zip(categories, flat.T, strict=True):
        is_known = np.isin(column, known)
        if not is_known.all():
            value = column[int(np.argmin(is_known))]
            where = _place(chunk, rows, is_known)
            message = f"{shown(name)} has the category {shown(value)} in {where}, which it was not fitted on"
            hint = "`unknown: other` gives such values a code of their own"
            raise wrong(step.origin, "unknown-category", message, hint=hint)


def _place(chunk: Chunk, rows: Array, is_fine: Array) -> str:
    """Where the first row that is not fine stands."""
    return f"{chunk.place(int(rows[int(np.argmin(is_fine))]))} of {shown(chunk.label)}"


def _seeded(transformer: Any, seed: int) -> Any:  # noqa: ANN401 - any transformer
    parameters = transformer.get_params(deep=False)
    if "random_state" in parameters and parameters["random_state"] is None:
        transformer.set_params(random_state=seed % 2**32)
    return transformer


def _dense(result: Any) -> Array:  # noqa: ANN401 - array, sparse matrix or data frame
    return np.asarray(result.toarray() if sparse.issparse(result) else result, dtype=np.float64)
