"""The pass over code of the user's: what `imports` may name, and calls of it that cannot work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runexp.compiler.findings import Findings, Path
from runexp.compiler.own_code import called_with, misfits, why_refused
from runexp.plan.graph import NodePlan, Route
from runexp.plan.values import Call

_TRUTH = frozenset({"y_true"})
_PREDICTED = ("y_pred", "y_score", "y_prob", "y_proba")


def check_imports(found: Findings) -> None:
    """Report prefixes that no spec may allow."""
    for index, prefix in enumerate(found.spec.imports):
        why = why_refused(prefix)
        if why:
            found.error(
                "unsafe-import",
                f"`imports` cannot allow `{prefix}`: it {why}",
                ("imports", index),
                label="not code of yours",
                help="`imports` names modules of your own, such as `mylab.layers`; a module of yours that is called"
                " as one of Python's needs another name",
            )


def check_forward(found: Findings, nodes: Mapping[str, NodePlan]) -> None:
    """Report inputs that the `forward` of a class of the user's does not take, or lacks."""
    for plan in nodes.values():
        call = plan.calls[0] if plan.calls else None
        if call is None or call.code is None or plan.is_estimator or not plan.feeds:
            continue
        keywords = [feed.argument for feed in plan.feeds if feed.argument]
        _check_call(found, call, len(plan.feeds) - len(keywords), keywords, ("nodes", plan.name, "inputs"))


def named_routes(found: Findings, call: Call, routes: tuple[Route, ...]) -> tuple[Route, ...]:
    """Output and target by keyword where a function of the user's names them as scikit-learn does.

    `(y_true, y_pred)` stand the other way round there: by position they would be swapped without a word.
    """
    shape = called_with(found.own_code(call.target), call.arguments) if call.code is not None else None
    if shape is None or len(routes) != 2:
        return routes
    truth = next((name for name in shape.positional if name in _TRUTH), "")
    predicted = next((name for name in shape.positional if name in _PREDICTED), "")
    if not truth or not predicted:
        return routes
    return tuple(_renamed(route, predicted if route.source == "node" else truth) for route in routes)


def check_routes(found: Findings, call: Call, routes: Sequence[Route], path: Path) -> None:
    """Report what a loss or metric of the user's is given and does not take, or lacks."""
    if call.code is not None:
        keywords = [route.argument for route in routes if route.argument]
        _check_call(found, call, len(routes) - len(keywords), keywords, (*path, "inputs"))


def _check_call(found: Findings, call: Call, n_positional: int, keywords: Sequence[str], path: Path) -> None:
    shape = called_with(found.own_code(call.target), call.arguments)
    if shape is None or found.is_damaged(path[:-1]):
        return
    own = found.own_code(call.target)
    method = "forward" if "forward" in getattr(own, "methods", {}) else "__call__"
    what = f"`{method}` of `{call.name}`" if getattr(own, "is_class", False) else f"`{call.name}`"
    for one in misfits(shape, what, n_positional, keywords):
        place = (*path, one.argument) if one.argument else path
        is_written = found.document.find(place) is not None
        taken = ", ".join(f"`{name}`" for name in (*shape.positional, *sorted(shape.keywords - {*shape.positional})))
        found.error(
            one.code,
            one.message,
            place if is_written else path[:-1],
            part="key" if one.argument or not is_written else "value",
            help=f"it takes {taken}" if taken else "it takes nothing",
        )


def _renamed(route: Route, argument: str) -> Route:
    return Route(route.source, route.name, route.key, argument)
