"""`repeat: [{…}, …]` under `phases`: one group of phases for every item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeGuard

from runexp.diagnostics import Diagnostic, Related, did_you_mean, nearest
from runexp.source.limits import MAX_DIAGNOSTICS, MAX_EXPANDED_NODES
from runexp.source.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode
from runexp.source.references import Filling, Lines, Reference, broken, filled, has_reference
from runexp.source.tree import Measure, with_children, with_entry, without


def expanded(root: MappingNode, files: Mapping[str, str]) -> tuple[MappingNode, list[Diagnostic]]:
    """The tree with every repeat under `phases` written out; one of a wrong shape is left for the schema."""
    phases = root.entry("phases")
    if phases is None or not isinstance(phases.value, MappingNode):
        return root, []
    expansion = _Expansion(files)
    value = expansion.phases(phases.value, {})
    return with_entry(root, replace(phases, value=value)), expansion.found


class _Expansion:
    def __init__(self, files: Mapping[str, str]) -> None:
        self.found: list[Diagnostic] = []
        self._lines = Lines(files)
        self._measure = Measure()
        self._copied = 0
        self._item: tuple[Node | None, set[str]] = (None, set())

    def phases(self, phases: MappingNode, each: Mapping[str, Node]) -> MappingNode:
        """A mapping of phases, with the repeats in it written out and `${each.…}` filled in."""
        entries = tuple(replace(entry, value=self._phase(entry.value, each)) for entry in phases.entries)
        return replace(phases, entries=entries)

    def _phase(self, phase: Node, each: Mapping[str, Node]) -> Node:
        if not isinstance(phase, MappingNode):
            return self._filled(phase, each)
        inner = phase.get("phases")
        repeat = phase.get("repeat")
        if not isinstance(inner, MappingNode):
            return self._filled(phase, each)
        outer = self._filled(without(without(phase, "phases"), "repeat"), each)
        if not isinstance(outer, MappingNode):
            return phase
        if repeat is None:
            inner = self._silenced(inner) if nearest("repeat", phase.keys()) else inner
            return self._rebuilt(phase, outer, self.phases(inner, each))
        items = self._filled(repeat, each)
        if not _is_repeat(items) or not self._affordable(items, inner):
            inner = self._silenced(inner)
            return self._rebuilt(phase, outer, self.phases(inner, each), keep_repeat=True)
        return self._rebuilt(phase, outer, self._groups(items, inner, each))

    def _rebuilt(
        self, phase: MappingNode, outer: MappingNode, phases: MappingNode, *, keep_repeat: bool = False
    ) -> MappingNode:
        """The phase with its own keys filled in and its `phases` replaced, in the order written."""
        entries = []
        for entry in phase.entries:
            if entry.key == "phases":
                entries.append(replace(entry, value=phases))
            elif entry.key == "repeat":
                entries += [entry] if keep_repeat else []
            else:
                entries.append(outer.entry(entry.key) or entry)
        return replace(phase, entries=tuple(entries))

    def _groups(self, items: SequenceNode, inner: MappingNode, each: Mapping[str, Node]) -> MappingNode:
        groups = []
        names = {name for item in items.items for name in _keys(item)}
        for position, item in enumerate(items.items):
            if not isinstance(item, MappingNode):
                continue
            values = {**each, **{entry.key: entry.value for entry in item.entries}}
            note = Related(item.span, f"repeated for item {position}")
            before, self._item = self._item, (item, names)
            kind = Entry("kind", item.span, ScalarNode("group", item.span, text="group"))
            phases = Entry("phases", item.span, self.phases(inner, values))
            self._item = before
            group = MappingNode((kind, phases), item.span, (note,))
            groups.append(Entry(str(position), item.span, group))
        return replace(inner, entries=tuple(groups))

    def _affordable(self, items: SequenceNode, inner: MappingNode) -> bool:
        self._copied += len(items.items) * self._measure.of(inner)[0]
        if self._copied <= MAX_EXPANDED_NODES:
            return True
        message = f"written out, the repeats hold more than {MAX_EXPANDED_NODES:,} values"
        self._report(Diagnostic("limit-exceeded", message, items.span))
        return False

    def _silenced(self, inner: MappingNode) -> MappingNode:
        """Phases whose `${each.…}` cannot be known, for what repeats them is wrong."""

        def silenced(node: Node) -> Node:
            if not isinstance(node, ScalarNode):
                return with_children(node, silenced)
            return broken(node) if has_reference(node) and "${each." in str(node.value) else node

        changed = silenced(inner)
        return changed if isinstance(changed, MappingNode) else inner

    def _filled(self, node: Node, each: Mapping[str, Node]) -> Node:
        if not each:
            return node
        if not isinstance(node, ScalarNode):
            return with_children(node, lambda child: self._filled(child, each))
        if not has_reference(node):
            return node
        return filled(node, Filling(lambda found: self._value(found, each), self._report, final=False))

    def _value(self, reference: Reference, each: Mapping[str, Node]) -> Node | None:
        if reference.kind != "each":
            return None
        value: Node | None = each.get(reference.names[0])
        for name in reference.names[1:]:
            value = value.get(name) if isinstance(value, MappingNode) else None
        if value is None:
            name = ".".join(reference.names)
            item, others = self._item
            is_uneven = reference.names[0] in others
            lacks = f"an item of this repeat has no `{name}`" if is_uneven else f"no item of this repeat has `{name}`"
            message = f"`{reference.written}` names nothing: {lacks}"
            help = did_you_mean(name, each, kind="names")
            related = (Related(item.span, "this one"),) if item and is_uneven else ()
            span = self._lines.span_of(reference)
            self._report(Diagnostic("unknown-variable", message, span, help=help, related=related))
            return broken(reference.use)
        return value

    def _report(self, diagnostic: Diagnostic) -> None:
        """Note a mistake once, although every item meets it."""
        known = any(one.span == diagnostic.span and one.code == diagnostic.code for one in self.found)
        if not known and len(self.found) < MAX_DIAGNOSTICS:
            self.found.append(diagnostic)


def _keys(node: Node) -> tuple[str, ...]:
    return tuple(node.keys()) if isinstance(node, MappingNode) else ()


def _is_repeat(node: Node) -> TypeGuard[SequenceNode]:
    return (
        isinstance(node, SequenceNode)
        and bool(node.items)
        and all(isinstance(item, MappingNode) for item in node.items)
    )
