"""Where the weights of a node come from."""

from __future__ import annotations

from runexp.compiler.findings import Findings, Path
from runexp.plan.graph import WeightsPlan
from runexp.spec.nodes import Node

_FILES = (".safetensors", ".pt", ".pth", ".bin")


def link_weights(found: Findings, node: Node, path: Path) -> WeightsPlan | None:
    """The weights a node starts from; None where it starts as its initialiser says."""
    if node.weights is None:
        return None
    place = (*path, "weights", "from")
    source = node.weights.source
    scheme = source.partition(":")[0]
    if scheme in ("run", "phase") and ":" in source:
        found.not_yet(f"weights of {'another run' if scheme == 'run' else 'a phase'}", place)
        return None
    if not source.endswith(_FILES):
        found.error(
            "wrong-value",
            f"`{source}` is no file of weights",
            place,
            help=f"one ends in {', '.join(_FILES[:-1])} or {_FILES[-1]}",
        )
        return None
    if not (found.folder / source).exists():
        found.error("missing-file", f"there is no file `{source}`", place, label="looked for from the spec's folder")
        return None
    return WeightsPlan(source, node.weights.node or "", node.weights.strict, found.origin((*path, "weights")))
