"""Which numbers of a run are in a target's own units, and which in those that a transform gave it."""

from __future__ import annotations

from collections.abc import Iterator

from runexp.plan.data import DataPlan
from runexp.plan.experiment import Plan, walk
from runexp.plan.graph import LossPlan, Route
from runexp.plan.phases import EvalPlan, TrainPlan


def units_of(plan: Plan) -> dict[str, dict[str, str]]:
    """Phase → number → `original` or `transformed`, of numbers about targets that transforms changed."""
    found: dict[str, dict[str, str]] = {}
    for phase in walk(plan.phases):
        if isinstance(phase, EvalPlan):
            numbers = dict(_evaluated(plan, phase))
        elif isinstance(phase, TrainPlan):
            numbers = dict(_losses(plan, phase.losses, "train_"))
            numbers |= {name: units for one in phase.evaluations for name, units in _evaluated(plan, one)}
        else:
            continue
        if numbers:
            found[phase.label] = numbers
    return found


def is_rescaled(data: DataPlan, key: str) -> bool:
    """Whether transforms give a key other numbers than were read, rather than codes of categories."""
    made = [transform for transform in data.transforms if key in transform.gives]
    return bool(made) and all(transform.inverse != "codes" for transform in made)


def _evaluated(plan: Plan, phase: EvalPlan) -> Iterator[tuple[str, str]]:
    yield from _losses(plan, phase.losses, phase.prefix)
    yield from ((f"{phase.prefix}{metric.name}", metric.units) for metric in phase.metrics if metric.units)


def _losses(plan: Plan, losses: tuple[LossPlan, ...], prefix: str) -> Iterator[tuple[str, str]]:
    scaled = [loss.name for loss in losses if any(_is_rescaled_target(plan, route) for route in loss.routes)]
    yield from ((f"{prefix}{name}", "transformed") for name in (*scaled, "loss") if scaled)


def _is_rescaled_target(plan: Plan, route: Route) -> bool:
    if route.source != "data":
        return False
    data = next(data for data in plan.data if data.name == route.name)
    return data.key(route.key).domain == "targets" and is_rescaled(data, route.key)
