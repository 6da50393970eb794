"""The units of a metric: those of the target it compares with, also where a transform changed that target."""

from __future__ import annotations

from runexp.compiler.findings import Path
from runexp.compiler.routes import domain_of
from runexp.compiler.scope import Scope
from runexp.diagnostics import Severity
from runexp.plan.graph import MetricPlan, Route, Units
from runexp.plan.units import is_rescaled
from runexp.spec.losses import Metric


def link_units(scope: Scope, metric: Metric, plan: MetricPlan, path: Path) -> Units:
    """Original where every transform of the target can be taken back and nothing else is asked for.

    Empty where the numbers are as they were read. What cannot be taken back is warned of.
    """
    target = target_of(scope, plan.routes)
    if target is None or plan.wants != "values" or not is_rescaled(scope.data[target.name], target.key):
        return ""
    lossy = [
        transform
        for transform in scope.data[target.name].transforms
        if target.key in transform.gives and transform.inverse == "none"
    ]
    if metric.units == "transformed":
        return "transformed"
    if not lossy:
        return "original"
    is_asked_for = metric.units == "original"
    what = "several keys at once" if lossy[0].is_together else f"`{lossy[0].call.name}`"
    scope.found.error(
        "no-inverse",
        f"`{plan.name}` is in transformed units: {what} of `targets.{target.key}` cannot be taken back",
        (*path, "units") if is_asked_for else path,
        part="key" if scope.found.document.find((*path, "use")) is not None else "value",
        help=f"`{{use: {metric.use}, units: transformed}}` says that this is meant",
        severity=Severity.ERROR if is_asked_for else Severity.WARNING,
    )
    return "transformed"


def target_of(scope: Scope, routes: tuple[Route, ...]) -> Route | None:
    """The target that a metric compares with: its first input that is one."""
    data = (route for route in routes[1:] if route.source == "data" and domain_of(scope, route) == "targets")
    return next(data, None)
