"""scikit-learn transformers over keys: fitted on one split, applied to all rows, and taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.preprocessing import FunctionTransformer

from runexp.diagnostics import Diagnostic, did_you_mean
from runexp.plan.data import DataPlan, TransformPlan
from runexp.plan.values import Call, Origin
from runexp.runtime.data.coding import check_known, prepare_coder
from runexp.runtime.data.gathering import Gathered
from runexp.runtime.data.problems import collecting, first_line, problem, shown, wrong
from runexp.runtime.data.table import Array
from runexp.runtime.own_code import misfit, running
from runexp.runtime.resolve import make
from runexp.runtime.seeds import derive_seed


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A transformer fitted for one key, and the shapes of a row before and after it."""

    transformer: Any
    origin: Origin
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]

    def back(self, values: Array) -> Array:
        """(N, width of shape_out) → (N, width of shape_in), float64; objects where categories were words."""
        if not callable(getattr(self.transformer, "inverse_transform", None)):
            message = f"{shown(type(self.transformer).__name__)} cannot be taken back to the original units"
            raise wrong(self.origin, "no-inverse", message)
        with _scikit_learn_at(self.origin):
            result = self.transformer.inverse_transform(_flat(values))
            return result if isinstance(result, np.ndarray) and result.dtype.kind in "OU" else _dense(result)


@dataclass(frozen=True, slots=True, eq=False)
class Transformed:
    """What the transforms of one key came to: its values, and what made them, in order."""

    values: Array
    steps: tuple[Fitted, ...]


def check_transforms(plan: DataPlan, splits: Mapping[str, Array], found: list[Diagnostic]) -> bool:
    """Whether the keys and the splits that transforms name are there, the splits with rows."""
    n_found = len(found)
    keys = [key.name for key in plan.keys]
    for transform in plan.transforms:
        for name in transform.keys:
            if name not in keys:
                hint = did_you_mean(name, keys, kind="keys")
                message = f"{shown(plan.name)} has no key {shown(name)} to transform"
                found.append(problem(transform.origin, "unknown-data-key", message, hint=hint))
        if transform.fit_on not in splits:
            hint = did_you_mean(transform.fit_on, splits, kind="splits")
            message = f"{shown(plan.name)} has no split {shown(transform.fit_on)} to fit on"
            found.append(problem(transform.origin, "unknown-split", message, hint=hint))
        elif not len(splits[transform.fit_on]):
            message = f"split {shown(transform.fit_on)} has no rows to fit on"
            found.append(problem(transform.origin, "empty-split", message))
    return len(found) == n_found


def apply_transforms(
    plan: DataPlan, gathered: Mapping[str, Gathered], splits: Mapping[str, Array], found: list[Diagnostic], *, seed: int
) -> dict[str, Transformed]:
    """The transformed keys among those gathered, by name; of each other one its first transform that fails is found."""
    chains: dict[str, list[TransformPlan]] = {}
    for transform in plan.transforms:
        for name in transform.keys:
            chains.setdefault(name, []).append(transform)
    done: dict[str, Transformed] = {}
    for name, chain in chains.items():
        if name not in gathered:
            continue
        with collecting(found):
            done[name] = _chained(gathered[name], chain, splits, seed=derive_seed(seed, "transform", plan.name, name))
    return done


def _chained(gathered: Gathered, chain: list[TransformPlan], splits: Mapping[str, Array], *, seed: int) -> Transformed:
    name = gathered.key.name
    words = gathered.key.words
    if gathered.exact.dtype.kind not in "biuf" and not words:
        message = f"{shown(name)} holds no numbers, and transformers take numbers"
        raise wrong(chain[0].origin, "non-numeric-column", message)
    values = gathered.exact if words else gathered.exact.astype(np.float64, copy=False)
    may_lack = gathered.key.gaps == "zero"
    steps: list[Fitted] = []
    for transform in chain:
        step, values = _fit(name, transform, values, splits[transform.fit_on], seed=seed)
        steps.append(step)
        is_fine = np.isfinite(values) | (may_lack & np.isnan(values))
        if not is_fine.all():
            row = int(np.argmin(is_fine.reshape(len(values), -1).all(axis=1)))
            what = f"row {row} of {shown(name)}"
            message = f"{shown(transform.call.name)} turns {what} into a value that is not finite"
            raise wrong(transform.origin, "non-finite-values", message)
    return Transformed(_rounded(gathered, np.nan_to_num(values, nan=0) if may_lack else values), tuple(steps))


def _fit(name: str, transform: TransformPlan, values: Array, rows: Array, *, seed: int) -> tuple[Fitted, Array]:
    """A transformer of its own for each key: what one learns of a key says nothing about another."""
    with _scikit_learn_at(transform.origin), running(transform.call):
        flat = _flat(values)
        transformer = prepare_coder(_seeded(_made(transform.call), seed), flat[rows])
        transformer.fit(flat[rows])
        check_known(name, transform, transformer, flat)
        result = _dense(transformer.transform(flat))
    if result.ndim != 2 or len(result) != len(values):
        message = f"{shown(transform.call.name)} does not give one row for each row"
        raise wrong(transform.origin, "transform-failed", message)
    shape_in = values.shape[1:]
    shape_out = shape_in if result.shape[1] == flat.shape[1] else (result.shape[1],)
    return Fitted(transformer, transform.origin, shape_in, shape_out), result.reshape(len(values), *shape_out)


def _made(call: Call) -> Any:  # noqa: ANN401 - any transformer
    """A transformer; a function of the user's is applied to rows as it is."""
    made = make(call)
    if call.code is None or hasattr(made, "transform"):
        return made
    if not callable(made):
        raise misfit(call, f"makes a `{type(made).__name__}`, which has no `transform`")
    return FunctionTransformer(made)


def _seeded(transformer: Any, seed: int) -> Any:  # noqa: ANN401 - any transformer
    if not hasattr(transformer, "get_params"):  # a plain class of the user's
        return transformer
    parameters = transformer.get_params(deep=False)
    if "random_state" in parameters and parameters["random_state"] is None:
        transformer.set_params(random_state=seed % 2**32)
    return transformer


def _rounded(gathered: Gathered, values: Array) -> Array:
    """In the key's type; whole numbers that nobody typed become float32 once they are no longer whole."""
    dtype = gathered.raw.dtype
    if gathered.key.words:
        return values.astype(gathered.key.dtype or "float32")
    if dtype.kind == "f" or (values == np.floor(values)).all():
        return values.astype(dtype)
    if gathered.key.dtype:
        message = f"{shown(gathered.key.name)} is {dtype}, and its transformed values are not whole numbers"
        raise wrong(gathered.key.origin, "lossy-dtype", message, hint="write `dtype: float32`")
    return values.astype(np.float32)


def _flat(values: Array) -> Array:
    """(N, anything) → (N, width); (N,) is a column."""
    return values.reshape(len(values), -1)


def _dense(result: Any) -> Array:  # noqa: ANN401 - array, sparse matrix or data frame
    return np.asarray(result.toarray() if sparse.issparse(result) else result, dtype=np.float64)


@contextmanager
def _scikit_learn_at(origin: Origin) -> Iterator[None]:
    """What scikit-learn refuses is a mistake in the spec, at the place the transform was written."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        error.add_note(f"in {origin}")
        raise wrong(origin, "transform-failed", f"scikit-learn refuses: {first_line(error)}") from error
