"""What must hold between the values of two rows, over arrays of pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from runexp.plan.samplers import MatchPlan
from runexp.runtime.data.table import Array
from runexp.runtime.sampling.groups import codes_of

Accepts = Callable[[Array, Array], Array]
"""Which pairs of rows (n,), (n,) are meant: (n,) bool."""

Relation = Literal["same", "other", "within", "beyond"]
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One relation in one column: `values` (N,), whole numbers for `same` and `other`, float64 for distances.

    `distance` has what rounding takes away or adds: 0.3 and 0.4 are within 0.1, whatever their type.
    """

    column: str
    relation: Relation
    values: Array
    distance: float = 0.0

    def holds(self, first: Array, second: Array) -> Array:
        """(n,) bool for pairs of rows (n,), (n,)."""
        met: Array
        if self.relation in ("same", "other"):
            met = (self.values[first] == self.values[second]) == (self.relation == "same")
        else:
            apart = np.abs(self.values[first] - self.values[second])
            met = apart <= self.distance if self.relation == "within" else apart >= self.distance
        return met


def conditions_of(matches: Sequence[MatchPlan], columns: Mapping[str, Array]) -> tuple[Condition, ...]:
    """The conditions on columns without missing values; those with distances hold numbers."""
    found = []
    for match in matches:
        column = columns[match.column]
        if match.same is not None:
            found.append(Condition(match.column, "same" if match.same else "other", codes_of(column)))
        slack = _slack(column) if match.within is not None or match.beyond is not None else 0.0
        if match.within is not None:
            within = match.within * (1 + _ROUNDING) + slack
            found.append(Condition(match.column, "within", column.astype(np.float64), within))
        if match.beyond is not None:
            beyond = match.beyond * (1 - _ROUNDING) - slack
            found.append(Condition(match.column, "beyond", column.astype(np.float64), beyond))
    return tuple(found)


def all_hold(conditions: Sequence[Condition]) -> Accepts:
    """Whether all conditions hold together."""

    def accepts(first: Array, second: Array) -> Array:
        met = np.ones(len(first), bool)
        for condition in conditions:
            met &= condition.holds(first, second)
        return met

    return accepts


def _slack(column: Array) -> float:
    """What the values' own type rounds away."""
    if column.dtype.kind != "f" or not len(column):
        return 0.0
    return 4 * float(np.finfo(column.dtype).eps) * float(np.abs(column).max())
