"""Nodes that give several outputs: each is a node of the plan, `<node>.<output>`, fed by the one that gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runexp.compiler.findings import Findings, Path
from runexp.diagnostics import did_you_mean
from runexp.plan.graph import Feed, NodePlan, Route
from runexp.plan.samplers import SamplerPlan
from runexp.plan.values import FrozenMap
from runexp.spec.nodes import Node


def link_outputs(found: Findings, node: Node, plan: NodePlan) -> Iterator[NodePlan]:
    """A node for each output that has a name; reports names that cannot be used."""
    path: Path = ("nodes", plan.name, "outputs")
    if not node.outputs:
        return
    if plan.is_estimator or node.merge is not None:
        found.error("wrong-value", f"`{plan.name}` gives one output, and `outputs` names several", path, part="key")
        return
    if node.chunk_size is not None:
        message = "`chunk_size` puts one output together, and `outputs` names several"
        found.error("exclusive-keys", message, ("nodes", plan.name, "chunk_size"), part="key")
    for index, name in enumerate(node.outputs):
        if name in node.outputs[:index]:
            found.error("name-clash", f"`{plan.name}` has an output `{name}` already", (*path, index))
        elif name in found.names("bindings"):
            _report_clash(found, name, "a binding", (*path, index))
        feeds = (Feed("node", plan.name),)
        label = f"{plan.name}.{name}"
        yield NodePlan(label, "output", (), feeds, "", False, FrozenMap({}), plan.origin, outputs=(name,))


def check_outputs(found: Findings, samplers: Mapping[str, SamplerPlan]) -> None:
    """Report outputs that have the name of a role: `outputs.anchor` would mean either."""
    roles = {role for sampler in samplers.values() for role in sampler.roles}
    for node, written in found.spec.nodes.items():
        for index, name in enumerate(written.outputs or ()):
            if name in roles:
                _report_clash(found, name, "a role of rows drawn together", ("nodes", node, "outputs", index))


def output_feed(found: Findings, node: str, rest: str, path: Path) -> Feed | None:
    """The feed that `<node>`, `<node>.<output>` or `<node>.<output>.<role>` names, of a node with named outputs."""
    chosen = _chosen(found, node, rest, (path, f"`{node}`"))
    return Feed("node", f"{node}.{chosen[0]}", role=chosen[1]) if chosen else None


def output_route(found: Findings, node: str, rest: str, path: Path) -> Route | None:
    """What `outputs`, with or without the name of an output and of a role, is of a node; reports what it lacks."""
    if not outputs_of(found.spec.nodes, node):
        return Route("node", node, role=rest)  # which roles there are, a phase tells
    chosen = _chosen(found, node, rest, (path, "`outputs`"))
    return Route("node", f"{node}.{chosen[0]}", role=chosen[1]) if chosen else None


def outputs_of(nodes: Mapping[str, Node], name: str) -> tuple[str, ...]:
    """The names of a node's outputs; none where it gives one."""
    return (nodes[name].outputs or ()) if name in nodes else ()


def _chosen(found: Findings, node: str, rest: str, where: tuple[Path, str]) -> tuple[str, str] | None:
    """The output and the role that `rest` names; a role alone where there is one output."""
    known = outputs_of(found.spec.nodes, node)
    name, _, role = rest.partition(".")
    if name in known:
        return name, role
    if len(known) == 1:
        return known[0], rest
    path, written = where
    prefix = written.strip("`")
    if not rest:
        message = f"the node `{node}` gives several outputs, and {written} names none of them"
        hint = f"say which: {' or '.join(f'`{prefix}.{output}`' for output in known)}"
        found.error("several-outputs", message, path, help=hint)
        return None
    hint = did_you_mean(name, known, kind="outputs")
    found.error("unknown-reference", f"the node `{node}` has no output `{name}`", path, help=hint)
    return None


def _report_clash(found: Findings, name: str, what: str, path: Path) -> None:
    hint = "both would be written `outputs.<name>`; give the output another name"
    found.error("name-clash", f"the output `{name}` has the name of {what}", path, help=hint)
