"""A graph laid out in layers from top to bottom: where each box stands, and through which points each edge goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runexp.report.html.facts import Box, Edge, Picture

WIDTH = 188
GAP = 22
ROW_GAP = 40
_LINE = 15
_PAD = 12
_SWEEPS = 6
_BEND = 18


@dataclass(frozen=True, slots=True)
class Placed:
    """A box and the corner it stands at."""

    box: Box
    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """An edge and the points it goes through."""

    edge: Edge
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole drawing."""

    width: float
    height: float
    boxes: tuple[Placed, ...]
    edges: tuple[Drawn, ...]


def lay_out(picture: Picture) -> Layout:
    """Every box below all that feed it, ordered so that few edges cross; edges over several layers have a lane."""
    boxes = {box.mark: box for box in picture.boxes}
    edges = [edge for edge in picture.edges if edge.start in boxes and edge.end in boxes]
    depth = _depths(list(boxes), edges)
    chains = [_chain(index, edge, depth) for index, edge in enumerate(edges)]
    layers = _layers(boxes, chains, depth)
    _reorder(layers, chains)
    heights = [max((_height(boxes[mark]) for mark in layer if mark in boxes), default=0.0) for layer in layers]
    tops = [sum(heights[:index]) + index * ROW_GAP for index in range(len(layers))]
    across = _across(layers, boxes)
    width = max((across[mark] + _breadth(mark, boxes) / 2 for layer in layers for mark in layer), default=0.0)
    placed = {
        mark: Placed(boxes[mark], across[mark] - WIDTH / 2, tops[row], _height(boxes[mark]))
        for row, layer in enumerate(layers)
        for mark in layer
        if mark in boxes
    }
    rows = list(zip(tops, heights, strict=True))
    drawn = [
        Drawn(edge, tuple(_points(chain, placed, across, rows[depth[edge.start] + 1 :])))
        for edge, chain in zip(edges, chains, strict=True)
    ]
    height = tops[-1] + heights[-1] if layers else 0.0
    return Layout(width, height, tuple(placed.values()), tuple(drawn))


def _depths(marks: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """The longest way to each box; what would go round in a circle is cut after as many rounds as there are boxes."""
    depth = dict.fromkeys(marks, 0)
    for _ in marks:
        moved = False
        for edge in edges:
            if depth[edge.end] <= depth[edge.start] < len(marks):
                depth[edge.end], moved = depth[edge.start] + 1, True
        if not moved:
            break
    used = {level: rank for rank, level in enumerate(sorted(set(depth.values())))}
    depth = {mark: used[level] for mark, level in depth.items()}
    for mark in reversed(marks):  # what feeds but is not fed stands just above what it feeds
        below = [depth[edge.end] for edge in edges if edge.start == mark]
        if below and not any(edge.end == mark for edge in edges):
            depth[mark] = max(0, min(below) - 1)
    return depth


def _chain(index: int, edge: Edge, depth: Mapping[str, int]) -> list[str]:
    """The marks an edge goes through, a made-up one in each layer between its ends."""
    between = range(depth[edge.start] + 1, depth[edge.end])
    return [edge.start, *(f"~{index}~{row}" for row in between), edge.end]


def _layers(boxes: Mapping[str, Box], chains: Sequence[Sequence[str]], depth: Mapping[str, int]) -> list[list[str]]:
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for mark in boxes:
        layers[depth[mark]].append(mark)
    for chain in chains:
        for step, mark in enumerate(chain[1:-1], 1):
            layers[depth[chain[0]] + step].append(mark)
    return layers


def _reorder(layers: list[list[str]], chains: Sequence[Sequence[str]]) -> None:
    """Sort each layer by the mean place of its neighbours, downwards and upwards in turn."""
    pairs = [(chain[step], chain[step + 1]) for chain in chains for step in range(len(chain) - 1)]
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for start, end in pairs:
        above.setdefault(end, []).append(start)
        below.setdefault(start, []).append(end)
    for sweep in range(_SWEEPS):
        neighbours = below if sweep % 2 else above
        place = {mark: at for layer in layers for at, mark in enumerate(layer)}
        for layer in reversed(layers) if sweep % 2 else layers:
            means = {mark: _mean([place[other] for other in neighbours.get(mark, [])], place[mark]) for mark in layer}
            layer.sort(key=means.__getitem__)
            place |= {mark: at for at, mark in enumerate(layer)}


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _across(layers: Sequence[Sequence[str]], boxes: Mapping[str, Box]) -> dict[str, float]:
    """The middle of every mark; each layer is centred."""
    widths = [sum(_breadth(mark, boxes) + GAP for mark in layer) - GAP for layer in layers]
    widest = max(widths, default=0.0)
    across: dict[str, float] = {}
    for layer, width in zip(layers, widths, strict=True):
        x = (widest - width) / 2
        for mark in layer:
            across[mark] = x + _breadth(mark, boxes) / 2
            x += _breadth(mark, boxes) + GAP
    return across


def _breadth(mark: str, boxes: Mapping[str, Box]) -> float:
    return WIDTH if mark in boxes else GAP


def _height(box: Box) -> float:
    return 2 * _PAD + _LINE * (1 + len(box.details))


def _points(
    chain: Sequence[str],
    placed: Mapping[str, Placed],
    across: Mapping[str, float],
    rows: Sequence[tuple[float, float]],
) -> list[tuple[float, float]]:
    """From the foot of the first box to the head of the last, straight down past the layers between: `rows`, each with
    its top and its height, from the one below the first box."""
    first, last = placed[chain[0]], placed[chain[-1]]
    points = [(across[chain[0]], first.y + first.height)]
    for mark, (top, height) in zip(chain[1:-1], rows, strict=False):
        points += [(across[mark], top), (across[mark], top + height)]
    return [*points, (across[chain[-1]], last.y)]
