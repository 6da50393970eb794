"""One fitted transformer: made from the plan, seeded, fitted on some rows, applied to all, taken back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.preprocessing import FunctionTransformer

from runexp.plan.data import TransformPlan
from runexp.plan.values import Call, Origin
from runexp.runtime.data.coding import check_known, prepare_coder
from runexp.runtime.data.matrices import Matrix, flat, given, taken
from runexp.runtime.data.problems import first_line, shown, wrong
from runexp.runtime.data.table import Array
from runexp.runtime.own_code import misfit, running
from runexp.runtime.resolve import make


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A transformer as it was fitted for a key, and the shapes of a row before and after it.

    `is_shared`: it was fitted on several keys side by side, so that one of them alone cannot be taken back.
    """

    transformer: Any
    plan: TransformPlan
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]
    is_shared: bool = False

    @property
    def origin(self) -> Origin:
        """Where the transform was written."""
        return self.plan.origin

    @property
    def can_go_back(self) -> bool:
        """Whether numbers come back as numbers in the units they had."""
        has_way_back = callable(getattr(self.transformer, "inverse_transform", None))
        return self.plan.inverse == "numbers" and has_way_back and not self.is_shared

    def back(self, values: Array) -> Array:
        """(N, width of shape_out) → (N, width of shape_in), float64; objects where categories were words."""
        way_back = getattr(self.transformer, "inverse_transform", None)
        if not callable(way_back) or self.plan.inverse == "none" or self.is_shared:
            message = f"{shown(type(self.transformer).__name__)} cannot be taken back to the original units"
            raise wrong(self.origin, "no-inverse", message)
        with scikit_learn_at(self.origin):
            rows = flat(values)
            result = taken(way_back(rows[:, 0] if self.plan.is_column else rows), len(values), self.plan)
        array: Array = result
        return array


def fit(
    transform: TransformPlan, names: Sequence[str], values: Matrix, rows: Array, target: Array | None, *, seed: int
) -> tuple[Any, Matrix]:
    """A transformer of its own, fitted on `rows` of (N, width) alone, and what it makes of all of them.

    `target` (N,) is what it learns from besides, of the same rows only.
    """
    with scikit_learn_at(transform.origin), _drawing_from(seed), running(transform.call):
        all_rows = given(values, names, transform)
        fitted_rows = all_rows[rows]
        transformer = prepare_coder(_seeded(_made(transform.call), seed), fitted_rows)
        if target is None:
            transformer.fit(fitted_rows)
            check_known(", ".join(names), transform, transformer, all_rows)
            return transformer, taken(transformer.transform(all_rows), all_rows.shape[0], transform)
        # TargetEncoder gives rows that it learned from codes learned from the others of them: fit_transform is not
        # fit and transform, and a network trained on the latter would read the targets off its features.
        crossed = _is_crossed(transformer)
        own = transformer.fit_transform(fitted_rows, target[rows]) if crossed else None
        if not crossed:
            transformer.fit(fitted_rows, target[rows])
        result = taken(transformer.transform(all_rows), all_rows.shape[0], transform)
        if own is not None:
            result[rows] = taken(own, len(rows), transform)
        return transformer, result


def apply(transformer: Any, transform: TransformPlan, names: Sequence[str], values: Matrix) -> Matrix:  # noqa: ANN401
    """What a transformer that was fitted before makes of rows (N, width)."""
    with scikit_learn_at(transform.origin), running(transform.call):
        all_rows = given(values, names, transform)
        check_known(", ".join(names), transform, transformer, all_rows)
        return taken(transformer.transform(all_rows), all_rows.shape[0], transform)


def _made(call: Call) -> Any:  # noqa: ANN401 - any transformer
    """A transformer; a function of the user's is applied to rows as it is."""
    made = make(call)
    if call.code is None or hasattr(made, "transform"):
        return made
    if not callable(made):
        raise misfit(call, f"makes a `{type(made).__name__}`, which has no `transform`")
    return FunctionTransformer(made)


@contextmanager
def _drawing_from(seed: int) -> Iterator[None]:
    """numpy's global generator seeded, for what draws from it unasked (mutual information), and put back."""
    before = np.random.get_state()
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        np.random.set_state(before)


def _is_crossed(transformer: Any) -> bool:  # noqa: ANN401 - any transformer
    """Whether it or a part of it is a TargetEncoder."""
    parts = [transformer, *_parameters(transformer, deep=True).values()]
    return any(type(part).__name__ == "TargetEncoder" for part in parts)


def _seeded(transformer: Any, seed: int) -> Any:  # noqa: ANN401 - any transformer
    """Every `random_state` that was left out, also of the parts of a pipeline, from the seed."""
    open_states = [
        name
        for name, value in _parameters(transformer, deep=True).items()
        if value is None and name.rpartition("__")[2] == "random_state"
    ]
    if open_states:
        transformer.set_params(**dict.fromkeys(open_states, seed % 2**32))
    return transformer


def _parameters(transformer: Any, *, deep: bool) -> dict[str, Any]:  # noqa: ANN401 - any transformer
    get = getattr(transformer, "get_params", None)
    parameters: dict[str, Any] = get(deep=deep) if callable(get) else {}
    return parameters


@contextmanager
def scikit_learn_at(origin: Origin) -> Iterator[None]:
    """What scikit-learn refuses is a mistake in the spec, at the place the transform was written."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        error.add_note(f"in {origin}")
        raise wrong(origin, "transform-failed", f"scikit-learn refuses: {first_line(error)}") from error


def is_finite(values: Matrix, *, may_lack: bool) -> Array:
    """(N,) whether all values of a row are finite, or missing where they may be; words always are."""
    if isinstance(values, np.ndarray):
        if values.dtype.kind not in "biuf":
            return np.ones(len(values), bool)
        fine: Array = np.isfinite(values) | (may_lack & np.isnan(values))
        return np.asarray(fine.reshape(len(values), -1).all(axis=1))
    bad = ~np.isfinite(values.data)
    rows = np.repeat(np.arange(values.shape[0]), np.diff(values.indptr))
    result = np.ones(values.shape[0], bool)
    result[rows[bad]] = False
    return result
