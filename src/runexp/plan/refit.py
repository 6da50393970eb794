"""What is left of the phases of a fold where nothing is held out: training once more on everything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from runexp.plan.phases import BuiltInPlan, EarlyStoppingPlan, EvalPlan, EvaluationPlan, GroupPlan, PhasePlan, TrainPlan


def without_held_out(phases: tuple[PhasePlan, ...], split: str) -> tuple[PhasePlan, ...]:
    """The phases without what judges the held-out part, and without the best checkpoint where that chose it."""
    found = (_without(phase, split) for phase in phases)
    return tuple(phase for phase in found if phase is not None)


def watching_held_out(phase: TrainPlan, split: str) -> Iterator[tuple[str, str, str]]:
    """What of a phase follows a number of the held-out part: its name, the address of it, and the number."""
    judged = {name for plan in phase.evaluations if _judges(plan, split) for name in plan.produces}
    for callback in phase.callbacks:
        monitor = ""
        if isinstance(callback, EarlyStoppingPlan):
            monitor = callback.monitor
        elif isinstance(callback, BuiltInPlan):
            monitor = str(callback.options.get("monitor", ""))
        if monitor in judged:
            yield callback.name, callback.origin.path, monitor
    if phase.schedule is not None and phase.schedule.options.get("monitor") in judged:
        yield phase.schedule.curve, phase.schedule.origin.path, str(phase.schedule.options["monitor"])


def _without(phase: PhasePlan, split: str) -> PhasePlan | None:
    match phase:
        case GroupPlan():
            inside = without_held_out(phase.phases, split)
            return replace(phase, phases=inside) if inside else None
        case EvalPlan():
            return None if _judges(phase, split) else phase
        case TrainPlan():
            judged = {name for plan in phase.evaluations if _judges(plan, split) for name in plan.produces}
            kept = (
                item
                for item in phase.callbacks
                if not (isinstance(item, EvaluationPlan) and _judges(item.evaluation, split))
            )
            rule = phase.checkpoints
            if rule is not None and rule.monitor in judged:
                rule = replace(rule, monitor="")
            return replace(phase, callbacks=tuple(kept), checkpoints=rule)
        case _:
            return phase


def _judges(plan: EvalPlan, split: str) -> bool:
    return split in (plan.split, *(lane.split for lane in plan.lanes))
