"""What a run is held to: limits on what it takes, thresholds on what it ends with."""

from __future__ import annotations

from typing import Literal

from runexp.plan.values import Origin
from runexp.records import dataclass

OnNan = Literal["stop", "warn", "skip"]
Comparison = Literal[">=", "<=", ">", "<", "=="]


@dataclass(frozen=True, slots=True)
class LimitPlan:
    """A bound in seconds or bytes, and as it was written."""

    bound: float
    written: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class RequirementPlan:
    """What the number of a phase has to be in the end: `test.accuracy`, `>=`, 0.95."""

    number: str
    comparison: Comparison
    bound: float
    origin: Origin

    @property
    def place(self) -> tuple[str, str]:
        """The label of the phase, and the name of its number."""
        phase, _, name = self.number.rpartition(".")
        return phase, name

    def __str__(self) -> str:
        return f"{self.number} {self.comparison} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class GuardsPlan:
    """The guards of a run; a limit that is not set is None.

    `time` is wall-clock time since the run began or went on; `memory` the resident set of a process; `disk` the files
    of the run folder. `on_nan` is what a loss that is not finite does.
    """

    time: LimitPlan | None = None
    memory: LimitPlan | None = None
    disk: LimitPlan | None = None
    on_nan: OnNan = "stop"
    require: tuple[RequirementPlan, ...] = ()
