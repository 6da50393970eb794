"""Nodes that make several inputs one."""

from __future__ import annotations

from runexp.compiler.findings import Findings, Path
from runexp.diagnostics import Severity
from runexp.plan.values import Call, FrozenMap
from runexp.spec.nodes import Node

_TARGET = "runexp.runtime.modules.merging:Merge"
_WITH_AXIS = ("concat", "stack")


def link_merge(found: Findings, node: Node, path: Path) -> Call | None:
    """What a node with `merge` computes; reports options that do not go with it."""
    for name, is_written in (("use", node.use is not None), ("layers", node.layers is not None)):
        if is_written:
            found.error("exclusive-keys", f"`merge` and `{name}` exclude each other", (*path, name), part="key")
            return None
    bound = [name for name, binding in found.spec.bindings.items() if binding.node == path[-1]]
    n_inputs = len(bound) + (1 if isinstance(node.inputs, str) else len(node.inputs or ()))
    if n_inputs == 1:
        message = f"the node `{path[-1]}` merges a single input"
        found.error("nothing-to-do", message, (*path, "merge"), help="`inputs: [first, second]` names several")
    if isinstance(node.inputs, dict):
        found.error("wrong-type", "inputs that are merged have no keywords", (*path, "inputs"), help="write a list")
        return None
    if node.axis is not None and node.merge not in _WITH_AXIS:
        message = f"`axis` changes nothing: `{node.merge}` goes element by element"
        found.error("unused-key", message, (*path, "axis"), part="key", severity=Severity.WARNING)
    if node.axis == 0:
        found.error("wrong-value", "rows lie along axis 0, which cannot be merged along", (*path, "axis"))
    return Call(str(node.merge), _TARGET, FrozenMap(_arguments(node)))


def check_no_merge(found: Findings, node: Node, path: Path) -> None:
    """Report options of a merge at a node that merges nothing."""
    for name in ("axis", "padding"):
        if getattr(node, name) is not None:
            message = f"`{name}` says how inputs are merged, and nothing is merged here"
            found.error("unused-key", message, (*path, name), part="key", severity=Severity.WARNING)


def _arguments(node: Node) -> dict[str, object]:
    given = {"how": node.merge, "axis": node.axis, "padding": node.padding}
    return {name: value for name, value in given.items() if value is not None}
