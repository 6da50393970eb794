"""Walks, measures and rebuilds node trees; what does not change is shared, never copied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runexp.diagnostics import Related
from runexp.source.limits import MAX_DEPTH, MAX_EXPANDED_NODES
from runexp.source.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode


def noted(node: Node, note: Related) -> Node:
    """The node with one more step in the story of how it came here."""
    return replace(node, chain=shortened((*node.chain, note)))


def shortened(chain: tuple[Related, ...]) -> tuple[Related, ...]:
    """A story nobody would read to its end, without its middle: a value may come through thousands of others."""
    return chain if len(chain) <= MAX_DEPTH else (*chain[: MAX_DEPTH // 2], *chain[-MAX_DEPTH // 2 :])


def with_entry(mapping: MappingNode, entry: Entry) -> MappingNode:
    """The mapping with one entry put in the place of its namesake, or at the end."""
    if mapping.entry(entry.key) is None:
        return replace(mapping, entries=(*mapping.entries, entry))
    return replace(mapping, entries=tuple(entry if old.key == entry.key else old for old in mapping.entries))


def without(mapping: MappingNode, key: str) -> MappingNode:
    """The mapping without one key."""
    return replace(mapping, entries=tuple(entry for entry in mapping.entries if entry.key != key))


def with_children(node: Node, change: Callable[[Node], Node]) -> Node:
    """The node with every child changed; the same object if nothing did."""
    if isinstance(node, ScalarNode):
        return node
    if isinstance(node, SequenceNode):
        items = tuple(change(item) for item in node.items)
        return node if _same(items, node.items) else replace(node, items=items)
    values = tuple(change(entry.value) for entry in node.entries)
    if _same(values, tuple(entry.value for entry in node.entries)):
        return node
    entries = (replace(entry, value=value) for entry, value in zip(node.entries, values, strict=True))
    return replace(node, entries=tuple(entries))


def children(node: Node) -> tuple[Node, ...]:
    """The values directly inside a node."""
    if isinstance(node, MappingNode):
        return tuple(entry.value for entry in node.entries)
    return node.items if isinstance(node, SequenceNode) else ()


class Measure:
    """Sizes and heights of trees that share parts, each part counted once and remembered."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Node, int, int]] = {}  # the node is kept so that its id stays its own

    def of(self, node: Node) -> tuple[int, int]:
        """How many nodes a tree has when nothing is shared, and how many levels of collections."""
        if isinstance(node, ScalarNode):
            return 1, 0
        known = self._known.get(id(node))
        if known is None:
            parts = [self.of(child) for child in children(node)]
            size = 1 + sum(part[0] for part in parts)
            height = 1 + max((part[1] for part in parts), default=0)
            known = self._known[id(node)] = (node, size, height)
        return known[1], known[2]

    def too_large(self, node: Node) -> str:
        """What about a tree is past the limits, as a sentence; empty if nothing."""
        size, height = self.of(node)
        if size > MAX_EXPANDED_NODES:
            return f"with everything expanded the spec holds more than {MAX_EXPANDED_NODES:,} values"
        return f"mappings and lists are nested more than {MAX_DEPTH} deep" if height > MAX_DEPTH else ""


def _same(new: tuple[Node, ...], old: tuple[Node, ...]) -> bool:
    return all(map(lambda left, right: left is right, new, old))
