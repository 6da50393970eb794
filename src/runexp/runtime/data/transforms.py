"""scikit-learn transformers over keys: fitted on one split, applied to all rows, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from runexp.diagnostics import Diagnostic, did_you_mean
from runexp.plan.data import DataPlan, TransformPlan
from runexp.runtime.data.fitted import Fitted, apply, fit, is_finite
from runexp.runtime.data.gathering import Gathered
from runexp.runtime.data.matrices import Matrix, dense_in_the_end, flat, side_by_side
from runexp.runtime.data.problems import collecting, problem, shown, wrong
from runexp.runtime.data.table import Array
from runexp.runtime.seeds import derive_seed


@dataclass(frozen=True, slots=True, eq=False)
class Transformed:
    """What the transforms of one key came to: its values, and what made them, in order."""

    values: Array
    steps: tuple[Fitted, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """The transformed keys by name, and what stood side by side in the keys that transforms made (`into`)."""

    transforms: Mapping[str, Transformed]
    made: Mapping[str, Gathered]


Ready = Callable[[str, int], Any]
"""Gives the n-th transformer of a key, fitted before."""

_Work = Callable[[Matrix], tuple[Any, Matrix]]
"""Gives the transformer of rows side by side, and what it makes of them."""


@dataclass(frozen=True, slots=True, eq=False)
class _Chain:
    """A key on its way: its rows in the shape they have by now, and what was done to them."""

    gathered: Gathered
    values: Matrix
    shape: tuple[int, ...]
    steps: tuple[Fitted, ...] = ()


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
) -> Applied:
    """Everything that transforms make of the keys gathered; of each key its first transform that fails is found.

    A plain function of the values as they were read and of the rows to fit on: other rows fit anew.
    """
    chains: dict[str, _Chain] = {}
    lost: set[str] = set()
    for transform in plan.transforms:
        for names in [transform.keys] if transform.is_together else [(name,) for name in transform.keys]:
            read = (*names, transform.target) if transform.target else names
            if lost & set(read) or any(name not in gathered and name not in chains for name in read):
                lost |= set(transform.gives if transform.is_together else names)
                continue
            n_found = len(found)
            with collecting(found):
                started = {name: chains.get(name) or _started(name, transform, gathered[name]) for name in names}
                target = _target(transform, chains, gathered)
                step_seed = derive_seed(seed, "transform", plan.name, transform.into or "+".join(names))
                rows = splits[transform.fit_on]
                work = partial(_fitted, transform, names, rows=rows, target=target, seed=step_seed)
                chains |= _extended(plan, transform, started, work)
            if len(found) > n_found:
                lost |= set(transform.gives if transform.is_together else names)
    return _done(chains, gathered, lost, found)


def apply_fitted(plan: DataPlan, gathered: Mapping[str, Gathered], found: list[Diagnostic], *, ready: Ready) -> Applied:
    """The same of other rows, by transformers that were fitted before; a key that is not there is passed over."""
    chains: dict[str, _Chain] = {}
    for transform in plan.transforms:
        for names in [transform.keys] if transform.is_together else [(name,) for name in transform.keys]:
            if any(name not in gathered and name not in chains for name in names):
                continue
            with collecting(found):
                started = {name: chains.get(name) or _started(name, transform, gathered[name]) for name in names}
                index = 0 if transform.into else len(started[names[0]].steps)
                work = partial(_applied, transform, names, ready(transform.into or names[0], index))
                chains |= _extended(plan, transform, started, work)
    return _done(chains, gathered, set(), found)


def _fitted(
    transform: TransformPlan, names: Sequence[str], joined: Matrix, *, rows: Array, target: Array | None, seed: int
) -> tuple[Any, Matrix]:
    return fit(transform, names, joined, rows, target, seed=seed)


def _applied(transform: TransformPlan, names: Sequence[str], made: object, joined: Matrix) -> tuple[Any, Matrix]:
    return made, apply(made, transform, names, joined)


def _done(
    chains: Mapping[str, _Chain], gathered: Mapping[str, Gathered], lost: set[str], found: list[Diagnostic]
) -> Applied:
    done: dict[str, Transformed] = {}
    for name, chain in chains.items():
        if name not in lost:
            with collecting(found):
                done[name] = _finished(chain)
    return Applied(done, {name: chains[name].gathered for name in done if name not in gathered})


def _started(name: str, transform: TransformPlan, gathered: Gathered) -> _Chain:
    if gathered.exact.dtype.kind not in "biuf" and not gathered.key.words:
        message = f"{shown(name)} holds no numbers, and transformers take numbers"
        hint = "an encoder, or for text a vectorizer, as the first transform takes words"
        raise wrong(transform.origin, "non-numeric-column", message, hint=hint)
    values = gathered.exact if gathered.key.words else gathered.exact.astype(np.float64, copy=False)
    return _Chain(gathered, values, values.shape[1:])


def _target(transform: TransformPlan, chains: Mapping[str, _Chain], gathered: Mapping[str, Gathered]) -> Array | None:
    """(N,) or (N, width) of what a transformer learns from, as it was read."""
    if not transform.target:
        return None
    found = chains[transform.target].gathered if transform.target in chains else gathered[transform.target]
    values = found.raw
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _extended(plan: DataPlan, transform: TransformPlan, chains: Mapping[str, _Chain], work: _Work) -> dict[str, _Chain]:
    """The chains with one transformer more, or the new one that it makes of them."""
    names = tuple(chains)
    joined = side_by_side([flat(chain.values) for chain in chains.values()], names, transform)
    transformer, result = work(joined)
    may_lack = any(chain.gathered.key.gaps == "zero" for chain in chains.values())
    is_fine = is_finite(result, may_lack=may_lack)
    if not is_fine.all():
        what = f"row {int(np.argmin(is_fine))} of {', '.join(map(shown, names))}"
        message = f"{shown(transform.call.name)} turns {what} into a value that is not finite"
        raise wrong(transform.origin, "non-finite-values", message)
    if transform.into:
        base = _joined(plan, transform, chains, joined)
        chains = {transform.into: _Chain(base, joined, base.raw.shape[1:])}
    widths = [flat(chain.values).shape[1] for chain in chains.values()]
    if len(chains) > 1 and result.shape[1] != sum(widths):
        message = f"{shown(transform.call.name)} makes {result.shape[1]} columns of the {sum(widths)} of {_all(names)}"
        hint = "`into: NAME` makes one key of them"
        raise wrong(transform.origin, "transform-failed", message, hint=hint)
    starts = np.cumsum([0, *widths])
    return {
        name: _longer(chain, result if len(chains) == 1 else result[:, start : start + width], transformer, transform)
        for (name, chain), start, width in zip(chains.items(), starts, widths, strict=False)
    }


def _longer(chain: _Chain, result: Matrix, transformer: object, transform: TransformPlan) -> _Chain:
    is_as_wide = result.shape[1] == flat(chain.values).shape[1]
    shape = chain.shape if is_as_wide else (result.shape[1],)
    is_shared = transform.is_together and not transform.into
    step = Fitted(transformer, transform, chain.shape, shape, is_shared)
    values = result.reshape(len(result), *shape) if isinstance(result, np.ndarray) else result
    return _Chain(chain.gathered, values, shape, (*chain.steps, step))


def _joined(plan: DataPlan, transform: TransformPlan, chains: Mapping[str, _Chain], joined: Matrix) -> Gathered:
    """What a key made of others starts from: their columns side by side."""
    sources = [chain.gathered.key for chain in chains.values()]
    is_masked = any(source.gaps == "zero" for source in sources)
    exact = dense_in_the_end(transform.into, joined, transform)
    is_words = exact.dtype.kind not in "biuf"
    key = replace(plan.key(transform.into), words=is_words, gaps="zero" if is_masked else "")
    raw = exact if is_words else exact.astype(np.float32)
    return Gathered(key, np.nan_to_num(raw, nan=0) if is_masked and not is_words else raw, exact, (), 0)


def _finished(chain: _Chain) -> Transformed:
    last = chain.steps[-1].plan
    name = chain.gathered.key.name
    values = dense_in_the_end(name, chain.values, last)
    if values.dtype.kind not in "biuf":
        message = f"{shown(name)} still holds words after {shown(last.call.name)}"
        hint = "an encoder, or for text a vectorizer, as the next transform makes numbers of them"
        raise wrong(last.origin, "non-numeric-column", message, hint=hint)
    if chain.gathered.key.gaps == "zero":
        values = np.nan_to_num(values, nan=0)
    return Transformed(_rounded(chain.gathered, values), chain.steps)


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


def _all(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names))
