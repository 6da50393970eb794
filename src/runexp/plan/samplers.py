"""The planned samplers: how rows of one split are drawn, alone or together."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from runexp.plan.values import FrozenMap, Origin
from runexp.records import dataclass

SamplerKind = Literal[
    "simple", "sequential", "stratified", "grouped", "weighted", "class_balanced", "length_bucketed",
    "pairs", "triplets", "n_way",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class MatchPlan:
    """What must hold between the values that two rows have in one column; several hold together."""

    column: str
    same: bool | None
    within: float | None
    beyond: float | None


@dataclass(frozen=True, slots=True)
class SamplerPlan:
    """One sampler over the rows of a split.

    `roles` and `streams` are never empty: `("",)` where rows are drawn alone, or in one stream. `others` holds role →
    tuple of `MatchPlan` with the anchor, `mismatch` the conditions of what does not match (empty: whatever does not).
    `per_epoch` 0 is every row; `n_way`, `k_shot` and `n_queries` are 0 where no classes are drawn; `bins` 0 takes the
    values as they are. `share` is None where it was not written. `by` and `weight` are empty where there is no column.
    """

    name: str
    kind: SamplerKind
    data: str
    size: int
    shuffle: bool
    drop_last: bool
    roles: tuple[str, ...]
    streams: tuple[str, ...]
    origin: Origin
    by: str = ""
    bins: int = 0
    mix: bool = True
    match: tuple[MatchPlan, ...] = ()
    mismatch: tuple[MatchPlan, ...] = ()
    others: FrozenMap = field(default_factory=FrozenMap)
    share: float | None = None
    per_anchor: int = 1
    per_epoch: int = 0
    n_way: int = 0
    k_shot: int = 0
    n_queries: int = 0
    weight: str = ""
    closeness: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The keys of the feature set that rows are drawn by, as they were read (before transforms)."""
        others = [condition for conditions in self.others.values() for condition in conditions]
        matched = (condition.column for condition in (*self.match, *self.mismatch, *others))
        return tuple(dict.fromkeys(name for name in (self.by, *matched, self.weight) if name))
