"""The graph as plain data, for whoever draws it: keys of the data, nodes and losses, and what feeds what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from runexp.plan.experiment import Plan, dump, walk
from runexp.plan.graph import Feed, LossPlan, NodePlan, Route
from runexp.plan.phases import EvalPlan, TrainPlan
from runexp.plan.values import Call
from runexp.records import dataclass

VERSION = 1


@dataclass(frozen=True, slots=True)
class Size:
    """What is known of a node, or a key of the data, once it is built: the shape of a row's value, its type, and how
    many parameters it has. `shape` is None where it gives several tensors."""

    shape: tuple[int, ...] | None
    dtype: str = ""
    n_parameters: int = 0


@dataclass(frozen=True, slots=True)
class PictureNode:
    """Something that is drawn. `id` is unique in the picture; `calls` are what it is made of, in order; `size` is None
    as long as it is not built."""

    id: str
    name: str
    kind: Literal["data", "module", "layers", "estimator", "output", "keys", "loss"]
    calls: tuple[Call, ...] = ()
    is_frozen: bool = False
    size: Size | None = None


@dataclass(frozen=True, slots=True)
class PictureEdge:
    """An arrow between two ids; `is_judged` where it ends at a loss. `label`: the role and the keyword, if any."""

    start: str
    end: str
    label: str
    is_judged: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole graph: keys of the data, then nodes in topological order, then losses."""

    nodes: tuple[PictureNode, ...]
    edges: tuple[PictureEdge, ...]


def draw(plan: Plan, sizes: Mapping[str, Size] | None = None) -> Picture:
    """The picture of a plan; `sizes` by node, and by `<data>.<key>`, where they are known."""
    known = sizes or {}
    losses = _losses(plan)
    keys = {name: f"d{index}" for index, name in enumerate(_keys(plan, losses))}
    ids = {node.name: f"n{index}" for index, node in enumerate(plan.nodes)}
    marks = {"node": ids, "data": keys, "pairs": keys}
    nodes = [PictureNode(mark, key, "data", size=known.get(key)) for key, mark in keys.items()]
    nodes += [_node(ids[node.name], node, known) for node in plan.nodes]
    nodes += [PictureNode(f"l{index}", loss.name, "loss", (loss.call,)) for index, loss in enumerate(losses)]
    edges = [
        PictureEdge(marks[feed.source][_source(feed)], ids[node.name], _said(feed), False)
        for node in plan.nodes
        for feed in (*node.feeds, *node.others)
    ]
    edges += [
        PictureEdge(marks[route.source][_source(route)], f"l{index}", _said(route), True)
        for index, loss in enumerate(losses)
        for route in loss.routes
        if route.source != "sampler"
    ]
    return Picture(tuple(nodes), tuple(edges))


def as_data(picture: Picture) -> dict[str, Any]:
    """The picture as JSON data; a shape starts with null, which stands for the rows."""
    return {
        "version": VERSION,
        "nodes": [_node_data(node) for node in picture.nodes],
        "edges": [
            {"from": edge.start, "to": edge.end, "label": edge.label, "is_judged": edge.is_judged}
            for edge in picture.edges
        ],
        "n_parameters": sum(node.size.n_parameters for node in picture.nodes if node.size),
    }


def with_sizes(data: Mapping[str, Any], sizes: Mapping[str, Size]) -> dict[str, Any]:
    """What `as_data` gave, with the sizes that have become known since."""
    nodes = [node | _size_data(sizes[node["name"]]) if node["name"] in sizes else node for node in data["nodes"]]
    return {**data, "nodes": nodes, "n_parameters": sum(node["n_parameters"] or 0 for node in nodes)}


def _node(mark: str, node: NodePlan, known: Mapping[str, Size]) -> PictureNode:
    return PictureNode(mark, node.name, node.kind, node.calls, node.freeze, known.get(node.name))


def _node_data(node: PictureNode) -> dict[str, Any]:
    return {
        "id": node.id,
        "name": node.name,
        "kind": node.kind,
        "calls": [{"use": call.name, "with": dump({**call.arguments, **call.fixed})} for call in node.calls],
        "is_frozen": node.is_frozen,
        **_size_data(node.size),
    }


def _size_data(size: Size | None) -> dict[str, Any]:
    return {
        "shape": None if size is None or size.shape is None else [None, *size.shape],
        "dtype": size.dtype if size else "",
        "n_parameters": None if size is None else size.n_parameters,
    }


def _losses(plan: Plan) -> list[LossPlan]:
    phases = [phase for phase in walk(plan.phases) if isinstance(phase, (TrainPlan, EvalPlan))]
    named = {(loss.name, loss.node): loss for phase in phases for loss in phase.losses}
    return list(named.values())


def _keys(plan: Plan, losses: list[LossPlan]) -> Iterator[str]:
    fed = [feed for node in plan.nodes for feed in (*node.feeds, *node.others) if feed.source == "data"]
    routed = [route for loss in losses for route in loss.routes if route.source in ("data", "pairs")]
    yield from dict.fromkeys([*map(str, fed), *map(_key, routed)])


def _source(feed: Feed | Route) -> str:
    if feed.source == "node":
        return feed.name
    return _key(feed) if isinstance(feed, Route) else str(feed)


def _key(route: Route) -> str:
    """What a column is called, whichever rows of those drawn together it is read for."""
    return route.key if route.source == "pairs" else f"{route.name}.{route.key}"


def _said(feed: Feed | Route) -> str:
    return " ".join(part for part in (feed.role, feed.argument) if part)
