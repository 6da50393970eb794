"""Whether two runs found out the same: bit for bit, within a tolerance, or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from math import inf, isclose
from typing import Any, Literal

Verdict = Literal["identical", "within tolerance", "different"]
Weights = Literal["identical", "different", "unknown"]
Number = tuple[Any, ...]
"""Phase, kind, epoch, batch, step and name of a recorded number, then its value."""

_SMALLEST = 1e-12  # below it a difference is noise, however large its share


@dataclass(frozen=True, slots=True)
class Farthest:
    """The numbers that are farthest apart, and by which share of the larger one."""

    address: str
    first: float
    second: float
    share: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two runs compare: the numbers that both recorded, how many differ, and by how much at most.

    `parted_at` is where one recorded what the other did not; empty where they tell of the same things.
    """

    n_numbers: int
    n_different: int
    farthest: Farthest | None
    parted_at: str
    weights: Weights
    tolerance: float

    @property
    def verdict(self) -> Verdict:
        """What to say of it. Weights count bit for bit alone: numbers within a tolerance come of others."""
        if self.parted_at or (self.farthest is not None and self.farthest.share > self.tolerance):
            return "different"
        if self.n_different or self.weights == "different":
            return "within tolerance"
        return "identical"


def agree(
    first: Iterable[Number], second: Iterable[Number], *, weights: Weights, tolerance: float, may_end_early: bool
) -> Agreement:
    """Compare the numbers of two runs in their order; with `may_end_early` the first may have fewer."""
    n_numbers, n_different, farthest, parted_at = 0, 0, None, ""
    for one, other in zip_longest(first, second):
        if one is None or other is None or one[:-1] != other[:-1]:
            is_early = one is None and may_end_early
            parted_at = "" if is_early else address_of(one or other)
            break
        n_numbers += 1
        share = _share(one[-1], other[-1])
        if share:
            n_different += 1
            if farthest is None or share > farthest.share:
                farthest = Farthest(address_of(one), one[-1], other[-1], share)
    return Agreement(n_numbers, n_different, farthest, parted_at, weights, tolerance)


def address_of(number: Number) -> str:
    """Where a number was recorded: `train.val_loss, epoch 3`."""
    phase, _, epoch, batch, _, name, _ = number
    place = "".join(f", {axis} {value}" for axis, value in (("epoch", epoch), ("batch", batch)) if value is not None)
    return f"{phase}.{name}{place}"


def _share(first: float, second: float) -> float:
    """How far apart two numbers are, as a share of the larger; 0 for equal ones and for two NaNs."""
    if first == second or (first != first and second != second):
        return 0.0
    if isclose(first, second, rel_tol=0.0, abs_tol=_SMALLEST):
        return _SMALLEST
    share = abs(first - second) / max(abs(first), abs(second))
    return share if share == share else inf
