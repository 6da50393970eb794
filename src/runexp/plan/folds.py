"""The planned cross-validation: which rows are pooled, how they are divided, and what a fold's parts are called."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from runexp.plan.values import Call, Origin
from runexp.records import dataclass

Execution = Literal["sequential", "processes", "vectorized", "dask"]


@dataclass(frozen=True, slots=True)
class FoldedSet:
    """One feature set of a cross-validation; what is not asked for is empty.

    `pool` empty: the splits that have the name of a part, or all rows where there are none.
    """

    data: str
    pool: tuple[str, ...]
    stratify_by: str
    group_by: str
    column: str
    order_by: str
    origin: Origin


REFIT = -1
"""The number of the refit among the folds."""


@dataclass(frozen=True, slots=True)
class InnerPlan:
    """How what a fold learns from is divided once more; fields as those of `CVPlan`.

    `of` is the one fold that is divided instead of running all of them; `rows`, where it is not empty, tells which
    rows that fold holds out: no other may be divided in its place.
    """

    n_folds: int
    splitter: Call | None
    sets: tuple[FoldedSet, ...]
    repeats: int
    shuffle: bool
    origin: Origin
    of: int | None = None
    rows: str = ""


@dataclass(frozen=True, slots=True)
class CVPlan:
    """Folds of some feature sets, divided together.

    `n_folds` is 0 where a splitter or a column tells how many there are. `val` is empty, and `val_size` 0, where no
    inner validation part is set aside; `phases` empty: all of them; `workers` 0: as many as fit. `refit`: train once
    more on the whole pool. `cluster` is the address of a Dask scheduler; empty: one on this machine.
    """

    n_folds: int
    splitter: Call | None
    sets: tuple[FoldedSet, ...]
    repeats: int
    shuffle: bool
    train: str
    held_out: str
    val: str
    val_size: float
    phases: tuple[str, ...]
    execution: Execution
    workers: int
    new_seed: bool
    origin: Origin
    refit: bool = False
    cluster: str = ""
    inner: InnerPlan | None = None

    @property
    def is_nested(self) -> bool:
        """Whether each fold chooses values of its own, by folds inside of it."""
        return self.inner is not None and self.inner.of is None

    def inside(self) -> CVPlan:
        """The folds inside of a fold; itself where there are none."""
        inner = self.inner
        if inner is None:
            return self
        return replace(
            self,
            n_folds=inner.n_folds,
            splitter=inner.splitter,
            sets=inner.sets,
            repeats=inner.repeats,
            shuffle=inner.shuffle,
            origin=inner.origin,
            refit=False,
            inner=None,
        )

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the splits that a fold makes."""
        return tuple(name for name in (self.train, self.val, self.held_out) if name)

    def of(self, data: str) -> FoldedSet | None:
        """How a feature set is folded; None where it is not."""
        return next((folded for folded in self.sets if folded.data == data), None)
