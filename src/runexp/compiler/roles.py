"""Whether what losses and nodes take of rows drawn together is there: roles, and calls by binding."""

from __future__ import annotations

from collections.abc import Sequence

from runexp.compiler.findings import Part, Path
from runexp.compiler.scope import Scope
from runexp.diagnostics import did_you_mean
from runexp.plan.graph import LossPlan, MetricPlan, NodePlan, Route
from runexp.plan.lanes import LanePlan, Wiring
from runexp.spec.shape import path_of


def check_roles(
    scope: Scope,
    plans: Sequence[NodePlan],
    items: Sequence[LossPlan | MetricPlan],
    lanes: Sequence[LanePlan],
    path: Path,
) -> Wiring:
    """Report roles that a phase does not draw, and references that could mean several; the wiring of the phase."""
    wiring = Wiring(plans, lanes)
    for plan in plans:
        _check_node(scope, wiring, plan, path)
    for item in items:
        for route in item.routes:
            if not _is_there(scope, wiring, item, route, path):
                break  # what else is wrong with its inputs likely follows from this
    return wiring


def _is_there(scope: Scope, wiring: Wiring, item: LossPlan | MetricPlan, route: Route, path: Path) -> bool:
    if route.source == "node":
        return _check_output(scope, wiring, item, route, path)
    if wiring.lanes:
        return _check_column(scope, wiring, item, route, path)
    if route.role or route.source == "sampler":
        message = f"`{item.name}` takes `{route}`, and `{path[-1]}` draws its rows one by one"
        _unknown(scope, message, (route.role, ()), _place(scope, item, route))
        return False
    return True


def _check_node(scope: Scope, wiring: Wiring, plan: NodePlan, path: Path) -> None:
    """What a node takes of the calls of others must be there, and each of its calls must be fed whole."""
    place: Path = ("nodes", plan.name, "inputs")
    for feed in plan.feeds:
        if feed.role and feed.name in scope.nodes and feed.role not in wiring.calls(feed.name):
            message = f"the node `{plan.name}` takes `{feed}`, and `{path[-1]}` calls `{feed.name}` for no such role"
            _unknown(scope, message, (feed.role, tuple(wiring.calls(feed.name))), (place, "value"))
    for missing in wiring.unfed if wiring.lanes else ():
        if missing.node != plan.name or not missing.call:
            continue
        feed = plan.feeds[missing.feed]
        if not feed.role:
            message = f"the node `{plan.name}` is called for `{missing.call}`, and `{feed}` is not"
            hint = f"take one of its calls: {', '.join(f'`{feed}.{role}`' for role in wiring.roles())}"
            scope.found.error("ambiguous-role", message, place, help=hint)


def _check_output(scope: Scope, wiring: Wiring, item: LossPlan | MetricPlan, route: Route, path: Path) -> bool:
    calls = wiring.calls(route.name) if route.name in scope.nodes else {route.role: ()}
    if route.role in calls:
        return True
    place, part = _place(scope, item, route)
    if route.role:
        message = f"`{item.name}` takes `outputs.{route.role}`, and `{path[-1]}` calls `{route.name}` for no such role"
        _unknown(scope, message, (route.role, tuple(calls)), (place, part))
        return False
    scope.found.error(
        "ambiguous-role",
        f"`{item.name}` takes `outputs`, and `{path[-1]}` calls `{route.name}` once for each of {', '.join(calls)}",
        place,
        part=part,
        help=f"say which: {' or '.join(f'`outputs.{call}`' for call in calls)}",
    )
    return False


def _check_column(scope: Scope, wiring: Wiring, item: LossPlan | MetricPlan, route: Route, path: Path) -> bool:
    taps = wiring.taps_of(item.node, route)
    place, part = _place(scope, item, route)
    if len(taps) == 1 and route.source == "data":
        return True
    if route.source == "sampler":
        samplers = [wiring.lanes[tap.strand.lane].sampler for tap in taps]
        strands = {tap.strand for tap in taps}
        if len(strands) == 1 and all(one and (one.weight or one.closeness) for one in samplers):
            return True
        message = f"`{item.name}` takes `sampler.weights`, and what draws the rows of `{item.node}` gives none"
        hint = "`weight: <column>` at the sampler, or `closeness: true`"
        scope.found.error("unknown-reference", message, place, part=part, help=hint)
    elif len(taps) > 1:
        written = f"{scope.data[route.name].key(route.key).domain}.{route.key}" if route.name in scope.data else route
        roles = [role for role in dict.fromkeys(_names(wiring, item.node)) if role]
        scope.found.error(
            "ambiguous-role",
            f"`{item.name}` takes `{written}`, which could be of {' or '.join(roles) or 'several drawings'}",
            place,
            part=part,
            help=f"say which: {' or '.join(f'`{written}.{role}`' for role in roles)}" if roles else "",
        )
    elif not taps:
        message = f"`{item.name}` takes `{route}`, and no row of `{route.name}` is drawn so in `{path[-1]}`"
        _unknown(scope, message, (route.role, wiring.roles()), (place, part))
    return False


def _names(wiring: Wiring, node: str) -> tuple[str, ...]:
    calls = wiring.calls(node)
    return tuple(calls) if "" not in calls else wiring.roles()


def _place(scope: Scope, item: LossPlan | MetricPlan, route: Route) -> tuple[Path, Part]:
    """Where a route was written; where it was left to runexp, the item that has it."""
    path = path_of(item.origin.path)
    step = route.argument or item.routes.index(route)
    written = (*path, "inputs", step)
    return (written, "value") if scope.found.document.find(written) is not None else (path, "key")


def _unknown(scope: Scope, message: str, wanted: tuple[str, tuple[str, ...]], where: tuple[Path, Part]) -> None:
    role, known = wanted
    there = [name for name in known if name]
    none = (
        "a sampler of pairs, triplets or n_way draws rows in roles: `batches: <its name>` of a train phase, "
        "`sampler: <its name>` of an evaluation"
    )
    if scope.found.is_unsure("samplers") or scope.found.is_unsure("bindings"):
        return
    hint = did_you_mean(role, there, kind="roles") if there else none
    path, part = where
    scope.found.error("unknown-role", message, path, part=part, label="no such role", help=hint)
