"""A plan's graph as a Mermaid flowchart, for pages that draw them."""

from __future__ import annotations

from collections.abc import Mapping

from runexp.plan.experiment import Plan
from runexp.plan.picture import PictureEdge, PictureNode, Size, draw
from runexp.report.wording import plain

_SAFE = str.maketrans({character: f"#{ord(character)};" for character in '"#&<>;`\\[](){}|'})


def render_graph_mermaid(plan: Plan, sizes: Mapping[str, Size] | None = None) -> str:
    """Data keys, nodes and losses with what feeds them, and the shapes and parameter counts that are known.

    Estimators are rounded, frozen nodes dashed.
    """
    picture = draw(plan, sizes)
    lines = ["flowchart LR"]
    lines += [f"  {node.id}{_shape(node)}" for node in picture.nodes]
    lines += [_edge(edge) for edge in picture.edges]
    frozen = [node.id for node in picture.nodes if node.is_frozen]
    if frozen:
        lines += ["  classDef frozen stroke-dasharray: 4 3", f"  class {','.join(frozen)} frozen"]
    return "\n".join(lines) + "\n"


def size_text(size: Size | None) -> str:
    """`(rows, 10) · 650 parameters`; empty where nothing is known."""
    if size is None:
        return ""
    shape = "" if size.shape is None else f"(rows{''.join(f', {one}' for one in size.shape)})"
    count = f"{size.n_parameters:,} parameters" if size.n_parameters else ""
    return " · ".join(part for part in (shape, count) if part)


def _shape(node: PictureNode) -> str:
    size = size_text(node.size)
    if node.kind == "data":
        return f'[("{_safe(node.name)}{_below(size)}")]'
    if node.kind == "loss":
        return f'{{{{"{_safe(node.name)}"}}}}'
    calls = ", ".join(_safe(call.name.rsplit(".", 1)[-1]) for call in node.calls)
    text = f'"<b>{_safe(node.name)}</b><br/>{calls}{_below(size)}"'
    return f"([{text}])" if node.kind == "estimator" else f"[{text}]"


def _below(size: str) -> str:
    return f"<br/>{_safe(size)}" if size else ""


def _edge(edge: PictureEdge) -> str:
    label = f'|"{_safe(edge.label)}"|' if edge.label else ""
    return f"  {edge.start} {'-.->' if edge.is_judged else '-->'}{label} {edge.end}"


def _safe(text: str) -> str:
    return plain(text).translate(_SAFE)
