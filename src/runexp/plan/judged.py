"""The nodes that losses and metrics judge: what their outputs mean, and which target they are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runexp.plan.experiment import Plan, leaves
from runexp.plan.graph import Decision, LossPlan, MetricPlan
from runexp.plan.phases import EvalPlan, TrainPlan
from runexp.records import dataclass


@dataclass(frozen=True, slots=True)
class Judged:
    """A node that is judged: how classes follow from its output; the feature set and key it is compared with."""

    node: str
    decision: Decision
    target: tuple[str, str] | None


def judged_nodes(plan: Plan) -> dict[str, Judged]:
    """Every node that is judged, by the last phase that does: phases at the end know most."""
    found: dict[str, Judged] = {}
    for phase in leaves(plan.phases):
        if isinstance(phase, (EvalPlan, TrainPlan)):
            metrics = phase.metrics if isinstance(phase, EvalPlan) else ()
            found |= {one.node: one for one in judged_by((*phase.losses, *metrics))}
    return found


def judged_by(items: Sequence[LossPlan | MetricPlan]) -> tuple[Judged, ...]:
    """The nodes that some losses and metrics judge, in their order."""
    nodes = dict.fromkeys(item.node for item in items)
    return tuple(_judged(node, [item for item in items if item.node == node]) for node in nodes)


def _judged(node: str, items: Iterable[LossPlan | MetricPlan]) -> Judged:
    items = list(items)
    decision: Decision = next((item.decision for item in items if item.decision != "as_is"), "as_is")
    routes = [
        route
        for item in items
        for route in item.routes
        if route.source == "data" and route.argument in ("", "target", "y_true")
    ]
    return Judged(node, decision, (routes[0].name, routes[0].key) if routes else None)
