"""Where the weights of a node come from: a file, a phase of this run, an earlier run (S-14)."""

from __future__ import annotations

from runexp.compiler.findings import Findings, Path
from runexp.plan.graph import WeightsPlan
from runexp.spec.nodes import Node, Weights

_FILES = (".safetensors", ".pt", ".pth", ".bin")


def link_weights(found: Findings, node: Node, path: Path) -> WeightsPlan | None:
    """The weights a node takes from elsewhere; None where it starts as its initialiser says."""
    written = node.weights
    if written is None:
        return None
    kind, colon, rest = written.source.partition(":")
    if colon and kind == "run":
        return _of_run(found, written, rest, path)
    if colon and kind == "phase":
        return WeightsPlan(
            "", written.node or "", written.strict, found.origin((*path, "weights")), "phase", rest,
            written.checkpoint or "",
        )  # fmt: skip
    return _of_file(found, written, path)


def _of_file(found: Findings, written: Weights, path: Path) -> WeightsPlan | None:
    place, source = (*path, "weights", "from"), written.source
    if not source.endswith(_FILES):
        found.error(
            "wrong-value",
            f"`{source}` is no file of weights",
            place,
            help=f"one ends in {', '.join(_FILES[:-1])} or {_FILES[-1]}; `phase:<label>` and `run:<id>` name others",
        )
        return None
    if written.checkpoint is not None:
        help = "it belongs to `phase:<label>` and `run:<id>`"
        place = (*path, "weights", "checkpoint")
        found.error("exclusive-keys", "a file of weights has no `checkpoint`", place, part="key", help=help)
    if not (found.folder / source).exists():
        found.error("missing-file", f"there is no file `{source}`", place, label="looked for from the spec's folder")
        return None
    return WeightsPlan(source, written.node or "", written.strict, found.origin((*path, "weights")))


def _of_run(found: Findings, written: Weights, reference: str, path: Path) -> WeightsPlan | None:
    if not reference or any(part in ("", ".", "..") for part in reference.split("/")):
        help = "its id, the start of it, its name, or `last`: `run:last`, `run:digits/last`"
        found.error("wrong-value", f"`{written.source}` names no run", (*path, "weights", "from"), help=help)
        return None
    return WeightsPlan(
        "", written.node or "", written.strict, found.origin((*path, "weights")), "run", reference,
        written.checkpoint or "",
    )  # fmt: skip
