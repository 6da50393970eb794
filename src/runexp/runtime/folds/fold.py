"""One fold: which rows it divides how, and the seed of what is random in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runexp.plan.folds import REFIT
from runexp.runtime.data.table import Array

Rows = Mapping[str, Mapping[str, Array]]
"""By feature set and split: row indexes (int64, ascending)."""


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One fold: the rows of every feature set it divides, and the seed of what is random in it.

    With the index -1 it is the refit, which holds nothing out. `name` says what is held out, where that has a name.
    `n_train` and `n_held_out` are rows of the first set; `digest` tells which of it are held out, and of which pool.
    """

    index: int
    name: str
    seed: int
    rows: Rows
    n_train: int
    n_held_out: int
    digest: str = ""

    @property
    def is_refit(self) -> bool:
        """Whether it learns from everything."""
        return self.index == REFIT

    @property
    def label(self) -> str:
        """The group that its phases stand under in results."""
        return "refit" if self.is_refit else f"fold-{self.index}"
