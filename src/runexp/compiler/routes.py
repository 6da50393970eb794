"""The inputs of losses and metrics: written references linked to outputs and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from runexp.compiler.findings import Path
from runexp.compiler.outputs import output_route
from runexp.compiler.scope import Scope
from runexp.diagnostics import nearest
from runexp.plan.graph import LossPlan, MetricPlan, Route
from runexp.spec.losses import Routes


def link_routes(scope: Scope, node: str, written: Routes | None, path: Path) -> tuple[Route, ...] | None:
    """What a loss or metric is given; left out: the node's output and the only target."""
    if written is None:
        output = output_route(scope.found, node, "", path[:-1])
        target = only_target(scope, node, path) if output else None
        return (output, target) if output and target else None
    if isinstance(written, Mapping):
        items = [(argument, reference, (*path, argument)) for argument, reference in written.items()]
    else:
        items = [("", reference, (*path, index)) for index, reference in enumerate(written)]
    routes = []
    for argument, reference, place in items:
        route = _route(scope, node, reference, place)
        routes.append(replace(route, argument=argument) if route else None)
    return tuple(route for route in routes if route) if all(routes) else None


def only_target(scope: Scope, node: str, path: Path) -> Route | None:
    """The only target of the data that feeds `node`; reports it where there is none or more than one."""
    feeding = scope.feeding_any((node,))
    targets = [
        Route("data", name, key.name)
        for name in feeding
        if name in scope.data
        for key in scope.data[name].keys
        if key.domain == "targets"
    ]
    if len(targets) == 1:
        return targets[0]
    if not _data_is_whole(scope, feeding, node):
        return None
    written = ", ".join(f"`targets.{route.key}`" for route in targets)
    scope.found.error(
        "ambiguous-target" if targets else "missing-target",
        f"the data that feeds `{node}` has {'several targets' if targets else 'no target'}",
        path[:-1],
        part="key",
        help=f"say which in `inputs:`; there are {written}"
        if targets
        else "name a column under `targets:` of the data",
    )
    if not targets:
        for name in feeding:
            scope.found.distrust(("data", name))
    return None


def _route(scope: Scope, node: str, reference: str, path: Path) -> Route | None:
    head, _, rest = reference.partition(".")
    key, _, role = rest.partition(".")
    if head == "outputs":
        return output_route(scope.found, node, rest, path)
    if reference == "targets":
        return only_target(scope, node, path)
    if reference == "sampler.weights":
        return Route("sampler", node, "weights")
    if head in _DOMAINS and key:
        return _column(scope, node, (head, key, role), path)
    written = scope.found.spec.data.get(head)
    if written is not None and written.matrix is not None and not key:
        return Route("pairs", written.matrix.rows, head) if written.matrix.rows in scope.data else None
    if head in scope.found.names("data") and key:
        return _key_of(scope, head, (key, role), path)
    scope.found.error(
        "unknown-reference",
        f"`{reference}` is nothing a loss or metric can be given",
        path,
        label="no such input",
        help=_likely(scope, reference)
        + "there are `outputs`, `targets.<name>`, `features.<name>`, `tags.<name>`, `<data>.<key>` (each with "
        "`.<role>` where rows are drawn together), the name of a matrix and `sampler.weights`",
    )
    return None


def _likely(scope: Scope, reference: str) -> str:
    """The reference that was meant, where its beginning alone is misspelled."""
    head, dot, rest = reference.partition(".")
    data = scope.found.spec.data
    known = (*_DOMAINS, *data) if dot else (name for name in data if data[name].matrix is not None)
    close = nearest(head, ("outputs", *known))
    return f"did you mean `{close}{dot}{rest}`? " if close else ""


def _column(scope: Scope, node: str, written: tuple[str, str, str], path: Path) -> Route | None:
    domain, key, role = written
    feeding = scope.feeding_any((node,)) or tuple(scope.data)
    binding = scope.found.spec.bindings.get(role.partition(".")[0])
    if binding is not None:  # the column of the rows that this binding feeds
        feeding = tuple(sorted(feeding, key=lambda name: name != binding.data.partition(".")[0]))
    known = []
    for name in feeding:
        for plan in scope.data[name].keys if name in scope.data else ():
            if plan.domain == domain and plan.name == key:
                return Route("data", name, key, role=role)
            if plan.domain == domain:
                known.append(plan.name)
    if _data_is_whole(scope, feeding, node):
        scope.found.unknown(domain.removesuffix("s"), key, path, known)
    return None


def _key_of(scope: Scope, name: str, written: tuple[str, str], path: Path) -> Route | None:
    key, role = written
    data = scope.found.spec.data.get(name)
    if data is not None and data.matrix is not None:
        message = f"`{name}` is a matrix between rows and has no keys"
        scope.found.error("unknown-reference", message, path, help=f"a loss is given it as `{name}`")
    if name not in scope.data:
        return None
    known = [plan.name for plan in scope.data[name].keys]
    if key in known:
        return Route("data", name, key, role=role)
    if not scope.found.is_damaged(("data", name)):
        scope.found.unknown("data key", key, path, known)
    return None


def refuse_pairs(scope: Scope, route: Route, reader: str, path: Path) -> None:
    """Report a matrix that is given to something which takes a value for each row."""
    scope.found.error(
        "unknown-reference",
        f"`{route.key}` holds values between pairs of rows, and is given to {reader}",
        (*path, "inputs"),
        label="not between pairs",
        help="`pairwise_distance` compares such values with distances between outputs",
    )


def data_of(scope: Scope, judged: tuple[str, ...], items: Sequence[LossPlan | MetricPlan]) -> tuple[str, ...]:
    """The feature sets that feed `judged` nodes, and those that losses and metrics read besides."""
    routed = [route.name for item in items for route in item.routes if route.source != "node"]
    return tuple(dict.fromkeys([*scope.feeding(judged), *routed]))


def domain_of(scope: Scope, route: Route) -> str:
    """Whether a column is a feature, a target or a tag."""
    return scope.data[route.name].key(route.key).domain


def _data_is_whole(scope: Scope, feeding: tuple[str, ...], node: str) -> bool:
    """Whether what is missing can be blamed on the user: nothing on the way to `node` is broken."""
    broken = any(scope.found.is_damaged(("data", name)) or name not in scope.data for name in feeding)
    return bool(feeding) and not broken and not graph_is_damaged(scope)


def graph_is_damaged(scope: Scope) -> bool:
    """Whether part of the graph could not be linked, so that what it lacks is no news."""
    found = scope.found
    return (
        found.is_unsure("nodes")
        or found.is_unsure("bindings")
        or any(name not in scope.nodes for name in found.names("nodes"))
    )


_DOMAINS = ("targets", "features", "tags")
