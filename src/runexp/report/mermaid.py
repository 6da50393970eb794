"""A plan's graph as a Mermaid flowchart, for pages that draw them."""

from __future__ import annotations

from runexp.plan.experiment import Plan, walk
from runexp.plan.graph import LossPlan, NodePlan, Route
from runexp.plan.phases import EvalPlan, TrainPlan
from runexp.report.wording import plain

_SAFE = str.maketrans({character: f"#{ord(character)};" for character in '"#&<>;`\\[](){}|'})


def render_graph_mermaid(plan: Plan) -> str:
    """Data keys, nodes and losses with what feeds them. Estimators are rounded, frozen nodes dashed."""
    lines = ["flowchart LR"]
    nodes = {node.name: f"n{index}" for index, node in enumerate(plan.nodes)}
    losses = _losses(plan)
    keys = _keys(plan, losses)
    lines += [f'  {mark}[("{_safe(key)}")]' for key, mark in keys.items()]
    lines += [f"  {nodes[node.name]}{_shape(node)}" for node in plan.nodes]
    lines += [f'  l{index}{{{{"{_safe(loss.name)}"}}}}' for index, loss in enumerate(losses)]
    marks = {"node": nodes, "data": keys, "pairs": keys}
    for node in plan.nodes:
        for feed in (*node.feeds, *node.others):
            name = feed.name if feed.source == "node" else str(feed)
            said = " ".join(part for part in (feed.role, feed.argument) if part)
            lines.append(_edge(marks[feed.source][name], "-->", said, nodes[node.name]))
    for index, loss in enumerate(losses):
        for route in loss.routes:
            if route.source != "sampler":
                name = route.name if route.source == "node" else _key(route)
                said = " ".join(part for part in (route.role, route.argument) if part)
                lines.append(_edge(marks[route.source][name], "-.->", said, f"l{index}"))
    frozen = [nodes[node.name] for node in plan.nodes if node.freeze]
    if frozen:
        lines += ["  classDef frozen stroke-dasharray: 4 3", f"  class {','.join(frozen)} frozen"]
    return "\n".join(lines) + "\n"


def _losses(plan: Plan) -> list[LossPlan]:
    phases = [phase for phase in walk(plan.phases) if isinstance(phase, (TrainPlan, EvalPlan))]
    named = {(loss.name, loss.node): loss for phase in phases for loss in phase.losses}
    return list(named.values())


def _key(route: Route) -> str:
    """What a column is called, whichever rows of those drawn together it is read for."""
    return route.key if route.source == "pairs" else f"{route.name}.{route.key}"


def _keys(plan: Plan, losses: list[LossPlan]) -> dict[str, str]:
    fed = [feed for node in plan.nodes for feed in (*node.feeds, *node.others)]
    routed = [route for loss in losses for route in loss.routes]
    names = dict.fromkeys(
        [
            *(str(feed) for feed in fed if feed.source == "data"),
            *(_key(route) for route in routed if route.source in ("data", "pairs")),
        ]
    )
    return {name: f"d{index}" for index, name in enumerate(names)}


def _shape(node: NodePlan) -> str:
    calls = ", ".join(_safe(call.name.rsplit(".", 1)[-1]) for call in node.calls)
    text = f'"<b>{_safe(node.name)}</b><br/>{calls}"'
    return f"([{text}])" if node.is_estimator else f"[{text}]"


def _edge(start: str, arrow: str, argument: str, end: str) -> str:
    label = f'|"{_safe(argument)}"|' if argument else ""
    return f"  {start} {arrow}{label} {end}"


def _safe(text: str) -> str:
    return plain(text).translate(_SAFE)
