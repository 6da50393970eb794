"""Bindings of several keys: a node of the plan, `<binding>[<keys>]`, that puts them side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runexp.compiler.findings import Findings, Path
from runexp.plan.graph import Feed, NodePlan
from runexp.plan.values import Call, FrozenMap
from runexp.spec.nodes import Binding

_TARGET = "runexp.runtime.modules.merging:SideBySide"


def link_keys(
    found: Findings, name: str, binding: Binding, feed_of: Callable[[str, Path], Feed | None]
) -> NodePlan | None:
    """The node of a binding with `columns`; None where what it names is wrong, which is reported."""
    path: Path = ("bindings", name, "columns")
    columns = binding.columns or ()
    if "." in binding.data:
        message = f"`{binding.data}` is one key, and `columns` names several"
        found.error(
            "wrong-value", message, ("bindings", name, "data"), help=f"`data: {binding.data.partition('.')[0]}`"
        )
        return None
    feeds = []
    for index, column in enumerate(columns):
        if column in columns[:index]:
            found.error("wrong-value", f"`{column}` is listed twice", (*path, index))
        feed = feed_of(f"{binding.data}.{column}", (*path, index))
        if feed is not None:
            feeds.append(replace(feed, binding=name))
    if len(feeds) < len(columns):
        return None
    label = f"{name}[{', '.join(columns)}]"
    call = Call("side_by_side", _TARGET, FrozenMap({}))
    return NodePlan(label, "keys", (call,), tuple(feeds), "", False, FrozenMap({}), found.origin(path))


def check_alone(found: Findings) -> None:
    """Report several bindings of one input, where one of them has several keys."""
    seen: dict[tuple[str, str], str] = {}
    for name, binding in found.spec.bindings.items():
        fed = (binding.node, binding.argument or "")
        other = seen.setdefault(fed, name)
        if other != name and (binding.columns or found.spec.bindings[other].columns):
            several = name if binding.columns else other
            message = f"`{other}` and `{name}` feed one input of `{binding.node}`, and `{several}` has several keys"
            help = "a node of its own before the shared one: `{inputs: [t.a, t.b], merge: concat}`"
            found.error("exclusive-keys", message, ("bindings", several, "columns"), part="key", help=help)
