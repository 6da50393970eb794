"""The graph of a run as one SVG picture, coloured by the page around it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from runexp.report.characters import cleaned, clipped
from runexp.report.html.facts import Picture
from runexp.report.html.layers import WIDTH, Drawn, Placed, lay_out

_MARGIN = 8
_LINE = 15
_LONGEST_NAME = 21
_LONGEST_DETAIL = 29
_KINDS = {"data": "data", "node": "module", "estimator": "estimator", "loss": "loss"}


def draw_graph(picture: Picture) -> str:
    """The picture; its title tells in words what feeds what."""
    layout = lay_out(picture)
    width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN
    body = "".join([*(_edge(edge) for edge in layout.edges), *(_box(box) for box in layout.boxes)])
    return (
        f'<svg class="graph" role="img" aria-label="{escape(described(picture))}" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="{-_MARGIN} {-_MARGIN} {width:.0f} {height:.0f}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto-start-reverse"><path d="M0 1 8 4 0 7z"/></marker></defs>{body}</svg>'
    )


def described(picture: Picture) -> str:
    """The graph in words: each box and what it is fed by."""
    names = {box.mark: box.name for box in picture.boxes}
    fed: dict[str, list[str]] = {}
    for edge in picture.edges:
        if edge.start in names:
            fed.setdefault(edge.end, []).append(names[edge.start])
    told = [f"{box.name} from {', '.join(fed[box.mark])}" for box in picture.boxes if box.mark in fed]
    return cleaned(f"Graph: {'; '.join(told) or ', '.join(names.values())}")


def _box(placed: Placed) -> str:
    box = placed.box
    frozen = " frozen" if box.is_frozen else ""
    radius = {"estimator": 14, "loss": 20, "data": 2}.get(box.kind, 6)
    middle = placed.x + WIDTH / 2
    lines = "".join(
        f'<text class="detail" x="{middle:.1f}" y="{placed.y + 23 + _LINE * (1 + row):.1f}">{_text(line)}</text>'
        for row, line in enumerate(box.details)
    )
    return (
        f'<g class="box {box.kind}{frozen}"><title>{_whole(" · ".join([box.name, _KINDS[box.kind], *box.details]))}'
        f'</title><rect x="{placed.x:.1f}" y="{placed.y:.1f}" width="{WIDTH}" height="{placed.height:.1f}" '
        f'rx="{radius}"/><text class="name" x="{middle:.1f}" y="{placed.y + 23:.1f}">'
        f"{_text(box.name, _LONGEST_NAME)}</text>{lines}</g>"
    )


def _edge(drawn: Drawn) -> str:
    path = " ".join(_curved(drawn.points))
    said = ""
    if drawn.edge.said:
        x, y = drawn.points[-1]
        said = f'<text class="said" x="{x + 5:.1f}" y="{y - 9:.1f}">{_text(drawn.edge.said, 12)}</text>'
    return f'<path class="edge" d="{path}" marker-end="url(#tip)"/>{said}'


def _curved(points: tuple[tuple[float, float], ...]) -> Iterator[str]:
    """Down out of each point and down into the next."""
    x, y = points[0]
    yield f"M{x:.1f} {y:.1f}"
    for to_x, to_y in points[1:]:
        half = (to_y - y) / 2
        yield f"C{x:.1f} {y + half:.1f} {to_x:.1f} {to_y - half:.1f} {to_x:.1f} {to_y:.1f}"
        x, y = to_x, to_y


def _text(text: str, longest: int = _LONGEST_DETAIL) -> str:
    return escape(clipped(cleaned(text), longest))


def _whole(text: str) -> str:
    return escape(cleaned(text))
