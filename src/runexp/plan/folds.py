"""The planned cross-validation: which rows are pooled, how they are divided, and what a fold's parts are called."""

from __future__ import annotations

from typing import Literal

from runexp.plan.values import Call, Origin
from runexp.records import dataclass

Execution = Literal["sequential", "processes", "vectorized", "dask", "ray"]


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


@dataclass(frozen=True, slots=True)
class CVPlan:
    """Folds of some feature sets, divided together.

    `n_folds` is 0 where a splitter or a column tells how many there are. `val` is empty, and `val_size` 0, where no
    inner validation part is set aside; `phases` empty: all of them; `workers` 0: as many as fit. `refit`: train once
    more on the whole pool. `cluster` is the address of a Dask scheduler or a Ray cluster; empty: workers of
    this machine.
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

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the splits that a fold makes."""
        return tuple(name for name in (self.train, self.val, self.held_out) if name)

    def of(self, data: str) -> FoldedSet | None:
        """How a feature set is folded; None where it is not."""
        return next((folded for folded in self.sets if folded.data == data), None)
