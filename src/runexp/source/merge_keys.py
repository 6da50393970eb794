"""The entries of one mapping: duplicates refused, merge keys (`<<`) resolved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from unicodedata import normalize

from runexp.diagnostics import Diagnostic, Related, Span
from runexp.records import dataclass
from runexp.source.leaves import Leaves
from runexp.source.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode, kind_of


@dataclass(frozen=True, slots=True)
class Slot:
    """One line of a mapping as written; `merge` if its key is an unquoted `<<`."""

    key: str
    key_span: Span
    value: Node
    merge: bool = False


def assembled(slots: Sequence[Slot], leaves: Leaves) -> tuple[Entry, ...]:
    """The entries in order; a written key wins over a merged one, which keeps its place."""
    written: dict[str, Span] = {}
    entries: dict[str, Entry] = {}
    for slot in slots:
        name = slot.key if slot.key.isascii() else normalize("NFC", slot.key)
        if name in written:
            leaves.note(_duplicate(slot, written[name]))
            continue
        written[name] = slot.key_span
        if slot.merge:
            _merge(slot, entries, leaves)
        else:
            beaten = entries.get(name)
            beat = (beaten.value,) if beaten else ()
            entries[name] = Entry(slot.key, slot.key_span, slot.value, beat)
    return tuple(entries.values())


def _merge(slot: Slot, entries: dict[str, Entry], leaves: Leaves) -> None:
    """Add what a merge key names; of several mappings an earlier one wins."""
    sources = slot.value.items if isinstance(slot.value, SequenceNode) else (slot.value,)
    for source in sources:
        if isinstance(source, ScalarNode) and source.broken:
            continue  # an alias of no anchor, which has been reported
        if not isinstance(source, MappingNode):
            leaves.note(_not_a_mapping(source))
            continue
        leaves.budget.copied(len(source.entries))
        note = Related(slot.key_span, "merged here by `<<`")
        for entry in source.entries:
            name = normalize("NFC", entry.key)
            value = replace(entry.value, chain=(*entry.value.chain, note))
            if name not in entries:
                entries[name] = replace(entry, value=value)


def _duplicate(slot: Slot, first: Span) -> Diagnostic:
    return Diagnostic(
        "duplicate-key",
        f"the key `{slot.key}` is written twice in one mapping",
        slot.key_span,
        label="written again here",
        help="keep one of them, or rename one",
        related=(Related(first, "first written here"),),
    )


def _not_a_mapping(node: Node) -> Diagnostic:
    return Diagnostic(
        "bad-merge-key",
        f"`<<` merges mappings, and this is {kind_of(node)}",
        node.span,
        help="name a mapping by its alias: `<<: *base`",
    )
