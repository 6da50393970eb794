"""From pooled rows to folds: scikit-learn's splitters divide, and every feature set follows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.experiment import Plan
from runexp.plan.folds import REFIT, CVPlan, InnerPlan
from runexp.runtime.data.problems import collecting, shown, stop_at, wrong
from runexp.runtime.data.shares import (
    divide_grouped,
    divide_ordered,
    divide_plain,
    divide_stratified,
    divide_stratified_grouped,
)
from runexp.runtime.data.strata import renumbered
from runexp.runtime.data.table import Array
from runexp.runtime.folds.fold import Fold
from runexp.runtime.folds.joining import Together, join_pools
from runexp.runtime.folds.pool import Pool, read_pool, within
from runexp.runtime.folds.splitters import Cut, cuts_of
from runexp.runtime.seeds import derive_seed


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """The folds of a plan, none where it has no `cv` section, and the ids of all rows of each set that is folded.

    `refit` learns from the whole pool, where that is asked for.
    """

    folds: tuple[Fold, ...]
    ids: Mapping[str, Array]
    refit: Fold | None = None


def divide_folds(plan: Plan, *, folder: Path) -> Division:
    """The folds of a plan; `SpecError` with everything that cannot be divided.

    Where one fold is to be divided in the place of all, its inner folds are; where each has inner folds, they are
    tried.
    """
    cv = plan.cv
    if cv is None:
        return Division((), {})
    reading = _Reading(plan, folder)
    outer = _divided(cv, reading.pools(cv), plan.seed)
    if cv.inner is None:
        return outer
    pools = reading.pools(cv.inside())
    if cv.inner.of is not None:
        return _inside(_chosen(cv, cv.inner, outer), cv, pools, plan.seed)
    for fold in (*outer.folds, *([outer.refit] if outer.refit is not None else [])):
        _inside(fold, cv, pools, plan.seed)  # so that it is known before anything runs
    return outer


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the folds of a plan are read from."""

    plan: Plan
    folder: Path

    def pools(self, cv: CVPlan) -> list[Pool]:
        """The pooled rows of every set; `SpecError` with everything that cannot be read."""
        found: list[Diagnostic] = []
        pools: list[Pool] = []
        data = {item.name: item for item in self.plan.data}
        for asked in cv.sets:
            with collecting(found):
                pools.append(read_pool(data[asked.data], asked, cv, seed=self.plan.seed, folder=self.folder))
        stop_at(found)
        return pools


def _divided(cv: CVPlan, pools: Sequence[Pool], seed: int) -> Division:
    together = join_pools(pools)
    cuts = cuts_of(cv, together, seed=seed)
    folds = (_fold(index, cut, cv, pools, together, seed=seed) for index, cut in enumerate(cuts))
    ids = {pool.asked.data: pool.ids for pool in pools}
    everything = Cut("", np.arange(together.n_units), np.empty(0, np.int64), is_series=together.is_series)
    refit = _fold(REFIT, everything, cv, pools, together, seed=seed) if cv.refit else None
    return Division(tuple(folds), ids, refit)


def _chosen(cv: CVPlan, inner: InnerPlan, outer: Division) -> Fold:
    """The fold that is divided in the place of all; `SpecError` where there is none, or where it has other rows."""
    folds = {fold.index: fold for fold in (*outer.folds, *([outer.refit] if outer.refit is not None else []))}
    fold = folds.get(-1 if inner.of is None else inner.of)
    if fold is None:
        message = f"there is no fold {inner.of}: the last of these {len(outer.folds)} is {len(outer.folds) - 1}"
        raise wrong(inner.origin, "wrong-value", message)
    if inner.rows and fold.digest != inner.rows:
        message = f"{_named(fold)} holds out other rows than where it was divided first"
        hint = "what varies inside of a fold must not change the seed, the data, or how rows are divided"
        raise wrong(inner.origin, "wrong-value", message, hint=hint)
    return fold


def _inside(fold: Fold, cv: CVPlan, pools: Sequence[Pool], seed: int) -> Division:
    """What a fold learns from, divided once more: none of its held-out rows is in any part."""
    own = [within(pool, _learnt_from(fold, cv, pool)) for pool in pools]
    inside = derive_seed(seed, "inside", fold.index)
    try:
        division = _divided(cv.inside(), own, inside)
    except SpecError as error:
        for found in error.diagnostics:
            where = f"inside of {_named(fold)}: {found.message}"
            raise SpecError([replace(found, message=where)]) from error
        raise
    seeds = [derive_seed(fold.seed, "fold", one.index) if cv.new_seed else fold.seed for one in division.folds]
    folds = tuple(replace(one, seed=own_seed) for one, own_seed in zip(division.folds, seeds, strict=True))
    return Division(folds, division.ids)


def _learnt_from(fold: Fold, cv: CVPlan, pool: Pool) -> Array:
    """The rows of a set that are a fold's own, its inner validation part among them."""
    rows = fold.rows[pool.asked.data]
    return np.union1d(rows[cv.train], rows[cv.val]) if cv.val else rows[cv.train]


def _named(fold: Fold) -> str:
    return "the refit" if fold.is_refit else f"fold {fold.index}"


def _fold(index: int, cut: Cut, cv: CVPlan, pools: Sequence[Pool], together: Together, *, seed: int) -> Fold:
    train = cut.train
    parts = {} if index == REFIT else {cv.held_out: cut.held_out}
    if cv.val:
        train, parts[cv.val] = _inner(index, cut, cv, together, seed=seed)
    parts = {cv.train: train} | parts
    rows = {pool.asked.data: together.rows_of(number, parts) | dict(pool.outside) for number, pool in enumerate(pools)}
    for name in parts:
        for pool in pools:
            if not len(rows[pool.asked.data][name]):
                whose = "the refit" if index == REFIT else f"fold {index}"
                message = f"`{name}` of {whose} gets no rows of {shown(pool.asked.data)}"
                raise wrong(pool.asked.origin, "empty-split", message)
    first = rows[pools[0].asked.data]
    own_seed = derive_seed(seed, "fold", index) if cv.new_seed else seed
    held = first.get(cv.held_out, np.empty(0, np.int64))
    digest = _digest(pools[0].ids, held, pools[0].rows)
    return Fold(index, cut.name, own_seed, rows, len(first[cv.train]), len(held), digest)


def _digest(ids: Array, *parts: Array) -> str:
    """The ids of some parts, as a short text that no other rows have."""
    found = hashlib.sha256()
    for rows in parts:
        written = np.sort(ids[rows])
        is_number = written.dtype.kind in "iu"
        found.update(written.astype("<i8").tobytes() if is_number else "\n".join(map(str, written)).encode())
        found.update(b"\0")
    return found.hexdigest()[:16]


def _inner(index: int, cut: Cut, cv: CVPlan, together: Together, *, seed: int) -> tuple[Array, Array]:
    """What is left to train on, and the inner validation part: by the rules of the folds, the last rows of a series."""
    train, shares = cut.train, [1 - cv.val_size, cv.val_size]
    generator = np.random.default_rng(derive_seed(seed, "inner", index))
    classes = None if together.classes is None else renumbered(together.classes[train])
    groups = None if together.groups is None else renumbered(together.groups[train])
    if cut.is_series:
        parts = divide_ordered(np.argsort(together.order[train], kind="stable"), shares)
    elif groups is not None:
        parts = _grouped(classes, groups, shares, generator)
    elif classes is not None:
        parts = divide_stratified(classes, shares, generator)
    else:
        parts = divide_plain(len(train), shares, generator)
    return train[parts[0]], train[parts[1]]


def _grouped(
    classes: Array | None, groups: Array, shares: Sequence[float], generator: np.random.Generator
) -> list[Array]:
    if classes is not None:
        return divide_stratified_grouped(classes, groups, shares, generator)
    return divide_grouped(groups, shares, generator)
