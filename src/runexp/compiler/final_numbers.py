"""The numbers that a run ends with, by address such as `test.accuracy`, and names of them that are unknown."""

from __future__ import annotations

from collections.abc import Mapping

from runexp.compiler.findings import Part, Path
from runexp.compiler.guards import numbers_of, reports_others
from runexp.compiler.scope import Scope
from runexp.diagnostics import did_you_mean
from runexp.plan.experiment import walk
from runexp.plan.graph import MetricPlan
from runexp.plan.phases import EvalPlan, PhasePlan, TrainPlan
from runexp.plan.sweeps import Direction
from runexp.records import dataclass


@dataclass(frozen=True, slots=True)
class FinalNumbers:
    """Numbers by address, and which way is better, None where that is not known.

    `own` are the beginnings of addresses at which code of the user's may report more, known to nobody beforehand.
    """

    modes: Mapping[str, Direction | None]
    own: tuple[str, ...] = ()

    def __contains__(self, address: str) -> bool:
        return address in self.modes or address.startswith(self.own)


def final_numbers(phases: tuple[PhasePlan, ...]) -> FinalNumbers:
    """The numbers that these phases end with."""
    return _numbers(phases, (EvalPlan, TrainPlan))


def trained_numbers(phases: tuple[PhasePlan, ...]) -> FinalNumbers:
    """Those of them that are known while a run goes on."""
    return _numbers(phases, (TrainPlan,))


def check_number(scope: Scope, address: str, numbers: FinalNumbers, path: Path, *, part: Part = "value") -> None:
    """Report an address at which no phase ends with a number; not where a phase could not be linked."""
    if address in numbers or scope.found.is_damaged(("phases",)) or scope.found.has_errors:
        return
    scope.found.error(
        "unknown-number",
        f"no phase ends with the number `{address}`",
        path,
        part=part,
        label="never measured",
        help=did_you_mean(address, numbers.modes, kind="there are"),
    )


def _numbers(phases: tuple[PhasePlan, ...], kinds: tuple[type, ...]) -> FinalNumbers:
    found: dict[str, Direction | None] = {}
    own = []
    for phase in walk(phases):
        if not isinstance(phase, kinds):
            continue
        if isinstance(phase, EvalPlan):
            found |= _judged(phase.label, phase)
        elif isinstance(phase, TrainPlan):
            found |= _trained(phase)
            own += [f"{phase.label}."] if reports_others(phase) else []
    return FinalNumbers(found, tuple(own))


def _trained(phase: TrainPlan) -> dict[str, Direction | None]:
    found: dict[str, Direction | None] = {f"{phase.label}.{name}": None for name in numbers_of(phase)}
    losses = ["train_loss", *(f"train_{loss.name}" for loss in phase.losses)]
    found |= {address: "min" for name in losses if (address := f"{phase.label}.{name}") in found}
    for plan in phase.evaluations:
        found |= _judged(phase.label, plan)
    return found


def _judged(label: str, plan: EvalPlan) -> dict[str, Direction | None]:
    found: dict[str, Direction | None] = {f"{label}.{name}": "min" for name in plan.produces}
    return found | {f"{label}.{plan.prefix}{metric.name}": _direction(metric) for metric in plan.metrics}


def _direction(metric: MetricPlan) -> Direction | None:
    better = metric.higher_is_better
    return None if better is None else "max" if better else "min"
