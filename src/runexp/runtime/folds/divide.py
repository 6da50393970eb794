"""From pooled rows to folds: scikit-learn's splitters divide, and every feature set follows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runexp.diagnostics import Diagnostic
from runexp.plan.experiment import Plan
from runexp.plan.folds import CVPlan
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
from runexp.runtime.folds.fold import REFIT, Fold
from runexp.runtime.folds.joining import Together, join_pools
from runexp.runtime.folds.pool import Pool, read_pool
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
    """The folds of a plan; `SpecError` with everything that cannot be divided."""
    cv = plan.cv
    if cv is None:
        return Division((), {})
    found: list[Diagnostic] = []
    pools: list[Pool] = []
    data = {item.name: item for item in plan.data}
    for asked in cv.sets:
        with collecting(found):
            pools.append(read_pool(data[asked.data], asked, cv, seed=plan.seed, folder=folder))
    stop_at(found)
    together = join_pools(pools)
    cuts = cuts_of(cv, together, seed=plan.seed)
    folds = (_fold(index, cut, cv, pools, together, seed=plan.seed) for index, cut in enumerate(cuts))
    ids = {pool.asked.data: pool.ids for pool in pools}
    everything = Cut("", np.arange(together.n_units), np.empty(0, np.int64), is_series=together.is_series)
    refit = _fold(REFIT, everything, cv, pools, together, seed=plan.seed) if cv.refit else None
    return Division(tuple(folds), ids, refit)


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
