"""The metric pass: metrics linked to the node they judge and the target they compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runexp import catalog
from runexp.catalog import Entry
from runexp.compiler.findings import Path
from runexp.compiler.losses import DECISIONS, check_label, inline_name
from runexp.compiler.outputs import output_route
from runexp.compiler.own_calls import check_routes, named_routes
from runexp.compiler.routes import domain_of, graph_is_damaged, link_routes, only_target, refuse_pairs
from runexp.compiler.scope import Scope
from runexp.compiler.units import link_units
from runexp.plan.graph import Decision, LossPlan, MetricPlan, Route, Taken
from runexp.spec.losses import Metric


def link_metrics(
    scope: Scope, items: Sequence[str | Metric], losses: tuple[LossPlan, ...], path: Path
) -> tuple[MetricPlan, ...]:
    """The metrics a phase or evaluation names, in the order written."""
    linked: dict[str, MetricPlan] = {}
    for index, item in enumerate(items):
        place = (*path, index)
        if isinstance(item, Metric):
            plan = _metric(scope, inline_name(item.use), item, losses, place)
        elif item in scope.found.spec.metrics:
            plan = _metric(scope, item, scope.found.spec.metrics[item], losses, ("metrics", item))
        elif item in scope.found.names("metrics"):
            plan = None
        elif catalog.lookup(item, "metric") is None:
            known = (*scope.found.names("metrics"), *catalog.suggest(item, "metric"))
            scope.found.unknown("metric", item, place, known)
            plan = None
        else:
            metric = Metric.model_construct(use=item)  # checked already
            plan = _metric(scope, inline_name(item), metric, losses, place, short=True)
        if plan is not None:
            check_label(scope, plan.name, {*linked, *(loss.name for loss in losses)}, place)
            linked.setdefault(plan.name, plan)
    return tuple(linked.values())


def _metric(
    scope: Scope, name: str, metric: Metric, losses: tuple[LossPlan, ...], path: Path, *, short: bool = False
) -> MetricPlan | None:
    made = scope.found.call(metric.use, metric.arguments, path, kinds=("metric",), supplied=_SUPPLIED)
    node = _judged(scope, name, metric, losses, path, short=short)
    if made is None or node is None:
        return None
    routes = _metric_routes(scope, node, metric, losses, path)
    if routes is None:
        return None
    call, entry = made
    if metric.inputs is None:
        routes = named_routes(scope.found, call, routes)
    check_routes(scope.found, call, routes, path)
    better = entry.traits.get("higher_is_better")
    is_better = better if isinstance(better, bool) else None
    decision = _decision(scope, node, losses)
    plan = MetricPlan(name, node, call, routes, _taken(entry), decision, is_better, scope.found.origin(path))
    return replace(plan, units=link_units(scope, metric, plan, path))


def _taken(entry: Entry) -> Taken:
    taken = entry.traits.get("takes")
    if entry.target.startswith("torchmetrics:") and entry.parameter("task") is not None:
        return "probabilities"  # it makes labels of them itself
    return taken if taken in ("labels", "scores", "probabilities") else "values"


def _judged(
    scope: Scope, name: str, metric: Metric, losses: tuple[LossPlan, ...], path: Path, *, short: bool
) -> str | None:
    """The node a metric judges: as said, or the only one with a loss here, or the only leaf."""
    if metric.node is not None:
        return metric.node if scope.knows_node(metric.node, (*path, "node"), subject=f"the metric `{name}`") else None
    judged = tuple(dict.fromkeys(loss.node for loss in losses)) or scope.leaves()
    if len(judged) == 1:
        return judged[0]
    if judged and not graph_is_damaged(scope):
        scope.found.error(
            "ambiguous-node",
            f"the metric `{name}` could judge several nodes: {', '.join(f'`{node}`' for node in judged)}",
            path,
            part="value" if short else "key",
            help=f"say which: `{{use: {metric.use}, node: {judged[0]}}}`",
        )
    return None


def _metric_routes(
    scope: Scope, node: str, metric: Metric, losses: tuple[LossPlan, ...], path: Path
) -> tuple[Route, ...] | None:
    if metric.inputs is not None:
        routes = link_routes(scope, node, metric.inputs, (*path, "inputs"))
        pairs = next((route for route in routes or () if route.source == "pairs"), None)
        if pairs is not None:
            refuse_pairs(scope, pairs, "a metric, which takes a value for each row", path)
            return None
        return routes
    compared = _compared(scope, node, losses)
    if compared is None and scope.found.is_unsure("losses"):
        return None
    target = compared or only_target(scope, node, (*path, "inputs"))
    output = _output(scope, node, losses, path) if target else None
    return (replace(output, role=target.role), target) if output and target else None


def _output(scope: Scope, node: str, losses: tuple[LossPlan, ...], path: Path) -> Route | None:
    """The first output of `node` that a loss on it reads; without one, its only output."""
    for loss in losses:
        for route in loss.routes if loss.node == node else ():
            if route.source == "node":
                return replace(route, argument="")
    return output_route(scope.found, node, "", path)


def _compared(scope: Scope, node: str, losses: tuple[LossPlan, ...]) -> Route | None:
    """The target that a loss on `node` compares it with."""
    for loss in losses:
        if loss.node != node:
            continue
        for route in loss.routes:
            if route.source == "data" and domain_of(scope, route) == "targets":
                return replace(route, argument="")
    return None


def _decision(scope: Scope, node: str, losses: tuple[LossPlan, ...]) -> Decision:
    """How classes follow from the node's output: by its method, or by the loss it is trained with."""
    plan = scope.nodes[node]
    if plan.is_estimator:
        return "argmax" if plan.method == "predict_proba" else "as_is"
    for loss in losses:
        if loss.node == node and loss.call.code is None:  # what the user's own loss means by outputs, nobody knows
            return loss.decision
    for other in scope.found.spec.losses.values():
        entry = catalog.lookup(other.use, "loss")
        if other.node == node and entry is not None:
            return DECISIONS.get(entry.name, "as_is")
    return "probability" if plan.calls and plan.calls[-1].target == "torch.nn:Sigmoid" else "argmax"


_SUPPLIED = frozenset({"y_true", "y_pred", "y_score", "y_prob", "y_proba", "preds", "target"})
