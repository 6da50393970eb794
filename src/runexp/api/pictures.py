"""The graph of a run as its folder tells it: the plan as linked, and the shapes and sizes that were met, if kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runexp.report.html.facts import Box, BoxKind, Edge, Picture

Plain = Mapping[str, Any]
_MOST_CALLS = 4


def picture_of(plan: Plain, sizes: Plain) -> Picture | None:
    """Keys, nodes and losses with what feeds them; None where the plan cannot be read.

    `plan` is plan.json, `sizes` graph.json: shapes and parameters by node, empty where there is none.
    """
    try:
        nodes = [node for node in plan.get("nodes") or () if isinstance(node, Mapping)]
        losses = _losses(plan)
        edges = [*_feeds(nodes), *_routes(losses)]
        named = {f"node {node['name']}" for node in nodes}
        keys = dict.fromkeys(edge.start for edge in edges if edge.start.startswith("data "))
        boxes = [
            *(Box(mark, mark.removeprefix("data "), "data") for mark in keys),
            *(_node(node, _sizes_of(sizes, str(node["name"]))) for node in nodes),
            *(Box(mark, str(loss["name"]), "loss", _called([loss.get("call")])) for mark, loss in losses.items()),
        ]
    except (KeyError, TypeError, AttributeError):
        return None
    there = named | keys.keys() | losses.keys()
    return Picture(tuple(boxes), tuple(dict.fromkeys(edge for edge in edges if edge.start in there)))


def targets_of(plan: Plain) -> dict[str, str]:
    """The key of the data that each node is compared with, by the losses and metrics on it."""
    found: dict[str, str] = {}
    for item in _applied(plan):
        for route in item.get("routes") or ():
            if isinstance(route, Mapping) and route.get("source") == "data":
                found.setdefault(str(item.get("node")), str(route.get("key")))
                break
    return found


def phases_in(found: Any) -> Iterator[Plain]:  # noqa: ANN401 - whatever the file holds
    """The phases of a plan, those of groups and the evaluations inside of trainings too."""
    for phase in found if isinstance(found, list) else ():
        if isinstance(phase, Mapping):
            yield phase
            yield from phases_in(phase.get("phases"))
            callbacks = [one for one in phase.get("callbacks") or () if isinstance(one, Mapping)]
            yield from phases_in([one["evaluation"] for one in callbacks if "evaluation" in one])


def _applied(plan: Plain) -> Iterator[Plain]:
    for phase in phases_in(plan.get("phases")):
        for item in [*(phase.get("losses") or ()), *(phase.get("metrics") or ())]:
            if isinstance(item, Mapping):
                yield item


def _losses(plan: Plain) -> dict[str, Plain]:
    """Every loss once, by its mark."""
    found = (loss for phase in phases_in(plan.get("phases")) for loss in phase.get("losses") or ())
    return {f"loss {loss['name']} {loss['node']}": loss for loss in found if isinstance(loss, Mapping)}


def _feeds(nodes: list[Plain]) -> Iterator[Edge]:
    for node in nodes:
        for feed in [*(node.get("feeds") or ()), *(node.get("others") or ())]:
            said = " ".join(part for part in (feed.get("role"), feed.get("argument")) if part)
            yield Edge(_start(feed), f"node {node['name']}", said)


def _routes(losses: Mapping[str, Plain]) -> Iterator[Edge]:
    for mark, loss in losses.items():
        for route in loss.get("routes") or ():
            said = " ".join(part for part in (route.get("role"), route.get("argument")) if part)
            if route.get("source") != "sampler":
                yield Edge(_start(route), mark, said)


def _start(feed: Plain) -> str:
    if feed.get("source") == "node":
        return f"node {feed['name']}"
    return f"data {feed['key']}" if feed.get("source") == "pairs" else f"data {feed['name']}.{feed['key']}"


def _node(node: Plain, sizes: Plain) -> Box:
    kind: BoxKind = "estimator" if node.get("kind") == "estimator" else "node"
    calls = [] if node.get("kind") == "output" else node.get("calls") or []
    details = (*_called(calls), *_sized(sizes))
    return Box(f"node {node['name']}", str(node["name"]), kind, details, is_frozen=bool(node.get("freeze")))


def _called(calls: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever the file holds
    """What is called, a line each, with the arguments that fit."""
    lines = [_call(call) for call in calls if isinstance(call, Mapping)]
    more = len(lines) - _MOST_CALLS
    return (*lines[:_MOST_CALLS], f"and {more} more") if more > 0 else tuple(lines)


def _call(call: Plain) -> str:
    arguments = call.get("arguments") if isinstance(call.get("arguments"), Mapping) else {}
    short = str(call.get("name", "")).rpartition(".")[2]
    said = ", ".join(str(value) for value in (arguments or {}).values() if isinstance(value, (int, float, str)))
    return f"{short}({said})" if said else short


def _sizes_of(sizes: Plain, name: str) -> Plain:
    """What graph.json tells of a node: under its name, or in a list of mappings that have names."""
    nodes = sizes.get("nodes", sizes)
    if isinstance(nodes, list):
        nodes = {str(one.get("name")): one for one in nodes if isinstance(one, Mapping)}
    found = nodes.get(name) if isinstance(nodes, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _sized(sizes: Plain) -> Iterator[str]:
    shape = sizes.get("shape", sizes.get("output_shape"))
    if isinstance(shape, list):
        yield f"→ {' x '.join(map(str, shape)) or 'one value'}"
    count = sizes.get("n_parameters", sizes.get("parameters"))
    if isinstance(count, int) and count:
        yield f"{count:,} parameters"
