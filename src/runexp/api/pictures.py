"""The graph of a run as its folder tells it (graph.json), and what its nodes are compared with (plan.json)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runexp.report.html.facts import Box, BoxKind, Edge, Picture

Plain = Mapping[str, Any]
_MOST_CALLS = 4
_KINDS: Mapping[str, BoxKind] = {"data": "data", "estimator": "estimator", "loss": "loss"}


def picture_of(graph: Plain) -> Picture | None:
    """Keys, nodes and losses with what feeds them, their shapes and parameters; None where the data is no graph."""
    try:
        boxes = tuple(_box(node) for node in graph["nodes"])
        edges = tuple(Edge(str(edge["from"]), str(edge["to"]), str(edge["label"])) for edge in graph["edges"])
    except (KeyError, TypeError, AttributeError):
        return None
    return Picture(boxes, tuple(dict.fromkeys(edges)))


def targets_of(plan: Plain) -> dict[str, str]:
    """The key of the data that each node is compared with, by the losses and metrics on it."""
    found: dict[str, str] = {}
    for item in _applied(plan.get("phases")):
        keys = [route["key"] for route in _mappings(item.get("routes")) if route.get("source") == "data"]
        if keys:
            found.setdefault(str(item.get("node")), str(keys[0]))
    return found


def _applied(phases: Any) -> Iterator[Plain]:  # noqa: ANN401 - whatever the file holds
    """Every loss and metric of the phases, those of groups too."""
    for phase in _mappings(phases):
        yield from _mappings(phase.get("losses"))
        yield from _mappings(phase.get("metrics"))
        yield from _applied(phase.get("phases"))


def _mappings(found: Any) -> list[Plain]:  # noqa: ANN401 - whatever the file holds
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def _box(node: Plain) -> Box:
    calls = () if node["kind"] == "output" else _called(node["calls"])
    details = (*calls, *_sized(node))
    kind = _KINDS.get(str(node["kind"]), "node")
    return Box(str(node["id"]), str(node["name"]), kind, details, is_frozen=bool(node["is_frozen"]))


def _called(calls: Sequence[Plain]) -> tuple[str, ...]:
    """What is called, a line each, with the arguments that are numbers or words."""
    lines = [_call(call) for call in calls]
    more = len(lines) - _MOST_CALLS
    return (*lines[:_MOST_CALLS], f"and {more} more") if more > 0 else tuple(lines)


def _call(call: Plain) -> str:
    short = str(call["use"]).rpartition(".")[2]
    said = ", ".join(str(value) for value in call["with"].values() if isinstance(value, (int, float, str)))
    return f"{short}({said})" if said else short


def _sized(node: Plain) -> Iterator[str]:
    shape, count = node.get("shape"), node.get("n_parameters")
    if isinstance(shape, list) and node["kind"] != "loss":
        yield f"rows x {' x '.join(map(str, shape[1:]))}" if len(shape) > 1 else "one value a row"
    if isinstance(count, int) and count:
        yield f"{count:,} parameters"
