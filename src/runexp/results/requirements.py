"""Whether a run ended with the numbers that its spec demands, and by how much it missed them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runexp.plan.guards import RequirementPlan


@dataclass(frozen=True, slots=True)
class Verdict:
    """A number that a spec demands; `value` is not a number where it was never measured."""

    number: str
    comparison: str
    bound: float
    value: float

    @property
    def is_met(self) -> bool:
        """Whether it was reached; what is not a number reaches nothing."""
        return _HOLDS[self.comparison](self.value, self.bound)

    @property
    def missed_by(self) -> float:
        """How far it is from its bound; 0 where it was met, not a number where there is no value."""
        return 0.0 if self.is_met else abs(self.value - self.bound)

    def __str__(self) -> str:
        demanded = f"{self.number} {self.comparison} {self.bound:g}"
        if math.isnan(self.value):
            return f"{demanded}: missed, there is no such number in the end"
        if self.is_met:
            return f"{demanded}: met with {self.value:.6g}"
        return f"{demanded}: missed with {self.value:.6g}, by {self.missed_by:.3g}"


def judge(required: Iterable[RequirementPlan], measured: Mapping[str, Mapping[str, float]]) -> tuple[Verdict, ...]:
    """Each demand and what came of it; `measured` are the final numbers by phase."""
    found = []
    for item in required:
        phase, name = item.place
        value = measured.get(phase, {}).get(name, math.nan)
        found.append(Verdict(item.number, item.comparison, item.bound, value))
    return tuple(found)


def as_json(verdicts: Iterable[Verdict]) -> list[dict[str, Any]]:
    """Plain data of verdicts, as summary.json has them."""
    return [
        {
            "number": item.number,
            "comparison": item.comparison,
            "bound": item.bound,
            "value": None if math.isnan(item.value) else item.value,
            "met": item.is_met,
            "missed_by": None if math.isnan(item.missed_by) else item.missed_by,
        }
        for item in verdicts
    ]


def from_json(data: Any) -> tuple[Verdict, ...]:  # noqa: ANN401 - whatever the file holds
    """What `as_json` wrote; what cannot be read is left out."""
    found = []
    for item in data if isinstance(data, list) else ():
        try:
            value = math.nan if item["value"] is None else float(item["value"])
            verdict = Verdict(str(item["number"]), str(item["comparison"]), float(item["bound"]), value)
        except (TypeError, KeyError, ValueError):
            continue
        if verdict.comparison in _HOLDS:
            found.append(verdict)
    return tuple(found)


_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}
