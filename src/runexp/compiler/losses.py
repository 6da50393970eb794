"""The loss pass: losses linked to the catalog, to their node and to what they are given."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from runexp.compiler.findings import Path
from runexp.compiler.own_calls import check_routes, named_routes
from runexp.compiler.routes import link_routes, refuse_pairs
from runexp.compiler.scope import Scope
from runexp.diagnostics import Severity
from runexp.plan.graph import Decision, LossPlan, WeightCurve
from runexp.spec.base import Use
from runexp.spec.losses import Loss
from runexp.spec.shape import dotted

DECISIONS: dict[str, Decision] = {
    "torch.nn.CrossEntropyLoss": "argmax",
    "torch.nn.NLLLoss": "argmax",
    "torch.nn.MultiMarginLoss": "argmax",
    "torch.nn.BCEWithLogitsLoss": "logit",
    "torch.nn.MultiLabelSoftMarginLoss": "logit",
    "torch.nn.BCELoss": "probability",
    "causal_lm": "each_step",
}


def link_losses(scope: Scope, items: Sequence[str | Loss], path: Path) -> tuple[LossPlan, ...]:
    """The losses a phase or evaluation names, in the order written; unknown ones are reported."""
    linked: dict[str, LossPlan] = {}
    for index, item in enumerate(items):
        place = (*path, index)
        if isinstance(item, Loss):
            plan = link_loss(scope, inline_name(item.use), item, place)
        else:
            plan = _named_loss(scope, item, place)
        if plan is not None:
            check_label(scope, plan.name, linked, _named_at(scope, item, place))
            linked.setdefault(plan.name, plan)
    return tuple(linked.values())


def link_loss(scope: Scope, name: str, loss: Loss, path: Path) -> LossPlan | None:
    """One loss; None where it, its node or its inputs are unknown. Its numbers have its label, if it has one."""
    name = loss.label or name
    made = scope.found.call(loss.use, loss.arguments, path, kinds=("loss",))
    knows_node = scope.knows_node(loss.node, (*path, "node"), subject=f"the loss `{name}`")
    if not knows_node:
        return None
    routes = link_routes(scope, loss.node, loss.inputs, (*path, "inputs"))
    if made is None or routes is None:
        return None
    call, entry = made
    if loss.inputs is None:
        routes = named_routes(scope.found, call, routes)
    check_routes(scope.found, call, routes, path)
    _check_reduction(scope, name, loss, path)
    elementwise = bool(entry.traits.get("elementwise", False)) or entry.traits.get("target") == "binary"
    pairs = next((route for route in routes if route.source == "pairs"), None)
    if pairs is not None and elementwise:
        refuse_pairs(scope, pairs, f"`{loss.use}`, which compares row by row", path)
        return None
    decision = DECISIONS.get(entry.name, "as_is")
    weight, curve = _weight(scope, loss, path)
    origin = scope.found.origin(path)
    return LossPlan(name, loss.node, call, routes, weight, elementwise, decision, origin, curve)


def _check_reduction(scope: Scope, name: str, loss: Loss, path: Path) -> None:
    if loss.arguments.get("reduction") == "sum":
        scope.found.error(
            "summed-loss",
            f"`{name}` is a sum over the rows of a batch: its numbers and its gradient grow with the batch size",
            (*path, "with", "reduction"),
            help="leave `reduction` out for the mean of the rows; `weight` changes the share of a loss",
            severity=Severity.WARNING,
        )


def _named_loss(scope: Scope, name: str, path: Path) -> LossPlan | None:
    names = scope.found.names("losses")
    if name not in names:
        scope.found.unknown("loss", name, path, names)
        return None
    return scope.losses.get(name)


def check_label(scope: Scope, name: str, taken: Collection[str], path: Path) -> None:
    """Report a loss or metric that would be logged under a name that another number has."""
    if name == "loss":
        message = "`loss` is the name of the weighted total"
    elif name == "lr":
        message = "`lr` is the name of the learning rate"
    elif name in taken:
        message = f"two numbers measured here would be called `{name}`"
    else:
        return
    help = "define it under a name of its own, and list each name once"
    if path[-1] == "label":
        help = "give it another label, or none: its numbers then have its own name"
    scope.found.error("label-clash", message, path, help=help)


def called(scope: Scope, item: str | Use) -> str:
    """The name that the numbers of a loss have, as it is listed: its label, or its own."""
    loss = scope.found.spec.losses.get(item) if isinstance(item, str) else item
    label = loss.label if isinstance(loss, Loss) else None
    return label or (item if isinstance(item, str) else inline_name(item.use))


def _named_at(scope: Scope, item: str | Loss, place: Path) -> Path:
    """Where the name of a loss was written: at its label, or where it is listed."""
    loss = scope.found.spec.losses.get(item) if isinstance(item, str) else item
    if loss is None or loss.label is None:
        return place
    return ("losses", item, "label") if isinstance(item, str) else (*place, "label")


def inline_name(use: str) -> str:
    """The name of a definition that stands where it is used."""
    return use.rsplit(".", 1)[-1]


def _weight(scope: Scope, loss: Loss, path: Path) -> tuple[float, WeightCurve | None]:
    """The weight, or for one that changes its end and its curve."""
    written = loss.weight
    if isinstance(written, float | int):
        return written, None
    if written.use == "step" and written.epochs is None and not scope.found.is_damaged((*path, "weight")):
        message = f"`{dotted((*path, 'weight'))}` lacks the key `epochs`"
        help = "`epochs: 5`: until then the weight is `start`, from there on `end`"
        scope.found.error("missing-key", message, (*path, "weight"), part="key", help=help)
    return written.end, WeightCurve(written.use, written.start, written.end, written.epochs or 0)
