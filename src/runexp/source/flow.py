"""Flow collections: `[…]` and `{…}`."""

from __future__ import annotations

import re
from typing import NoReturn

from runexp.diagnostics import Related, Span
from runexp.source.leaves import Leaves
from runexp.source.merge_keys import Slot, assembled
from runexp.source.nodes import MappingNode, Node, SequenceNode


class Flow:
    """Reads flow collections at the cursor of its leaves."""

    def __init__(self, leaves: Leaves) -> None:
        self._leaves = leaves
        self._cursor = leaves.cursor

    def collection(self, indent: int, depth: int) -> Node:
        """The collection that opens at the cursor; its lines must be indented deeper than `indent`."""
        self._leaves.budget.enter(depth)
        return self._sequence(indent, depth) if self._cursor.char == "[" else self._mapping(indent, depth)

    def _sequence(self, indent: int, depth: int) -> SequenceNode:
        start = self._cursor.pos
        self._cursor.pos += 1
        items: list[Node] = []
        while self._more(start, indent, "]"):
            begin = self._cursor.pos
            item = self._node(indent, depth + 1, start)
            self._skip(start, indent)
            if self._cursor.char == ":":
                item = self._pair(begin, indent, depth + 1, start)
            items.append(item)
            self._separator(start, indent, "]")
        return SequenceNode(tuple(items), self._closed(start))

    def _mapping(self, indent: int, depth: int) -> MappingNode:
        start = self._cursor.pos
        self._cursor.pos += 1
        slots: list[Slot] = []
        while self._more(start, indent, "}"):
            slots.append(self._entry(indent, depth, start))
            self._separator(start, indent, "}")
        entries = assembled(slots, self._leaves)
        return MappingNode(entries, self._closed(start))

    def _pair(self, begin: int, indent: int, depth: int, opened: int) -> MappingNode:
        """`a: b` as an item of a list: a mapping of one."""
        self._cursor.rewind(begin)
        self._leaves.budget.enter(depth)
        slots = [self._entry(indent, depth, opened)]
        return MappingNode(assembled(slots, self._leaves), self._cursor.source.span(begin, self._leaves.content_end))

    def _entry(self, indent: int, depth: int, opened: int) -> Slot:
        cursor = self._cursor
        if cursor.char == "?" and cursor.text[cursor.pos + 1] in " \t\n":
            cursor.fail(
                "yaml-syntax",
                "explicit keys (`? key`) are not supported",
                cursor.pos,
                help="write `key: value`",
            )
        begin = cursor.pos
        key = self._leaves.key(flow=True)
        if cursor.pos == begin and cursor.char != ":":
            self._refuse(opened)
        self._skip(opened, indent)
        span = cursor.source.span(key.start, key.end)
        if cursor.char == ":":
            cursor.pos += 1
            self._skip(opened, indent)
            return Slot(key.text, span, self._node(indent, depth + 1, opened), merge=key.merge)
        self._check_spaced(key.text, key.start, key.end)
        return Slot(key.text, span, self._leaves.empty(key.end))

    def _check_spaced(self, text: str, start: int, end: int) -> None:
        before, colon, after = text.partition(":")
        if colon and self._cursor.text[start] not in "\"'":
            help = f"write a space after the colon: `{before}: {after}`"
            self._leaves.report("yaml-syntax", f"`{text}` has no value", start, end, help=help)

    def _node(self, indent: int, depth: int, opened: int) -> Node:
        leaves, cursor = self._leaves, self._cursor
        begin = cursor.pos
        properties = leaves.properties()
        tag = properties.tag if properties else ""
        self._skip(opened, indent)
        char = cursor.char
        if char in "[{":
            return leaves.anchored(properties, depth, lambda: self.collection(indent, depth))
        if char in ",]}" or (char == ":" and cursor.text[cursor.pos + 1] in " \t\n,]}"):
            if char == "," and properties is None and cursor.text[begin - 1] in "[,":
                self._refuse(opened)
            at = leaves.content_end if properties is None else cursor.pos
            return leaves.anchored(properties, depth, lambda: leaves.empty(max(at, begin - 1), tag))
        return leaves.anchored(properties, depth, lambda: self._leaf(indent, depth, tag, opened))

    def _leaf(self, indent: int, depth: int, tag: str, opened: int) -> Node:
        node = self._leaves.scalar_or_alias(indent, depth, tag, flow=True)
        return self._refuse(opened) if node is None else node

    def _more(self, opened: int, indent: int, closer: str) -> bool:
        self._skip(opened, indent)
        return self._cursor.char != closer

    def _separator(self, opened: int, indent: int, closer: str) -> None:
        cursor = self._cursor
        self._skip(opened, indent)
        if cursor.char == ",":
            cursor.pos += 1
        elif cursor.char != closer:
            self._refuse(opened)

    def _skip(self, opened: int, indent: int) -> None:
        """Go to the next token; a line no deeper than the parent ends a collection too early."""
        cursor = self._cursor
        fresh = cursor.skip_blanks()
        if cursor.pos >= cursor.end or (fresh and cursor.column <= indent and cursor.char not in "]}"):
            self._unclosed(opened)

    def _closed(self, start: int) -> Span:
        self._cursor.pos += 1
        self._leaves.content_end = self._cursor.pos
        return self._cursor.source.span(start, self._cursor.pos)

    def _unclosed(self, opened: int) -> NoReturn:
        cursor = self._cursor
        bracket = cursor.text[opened]
        at = min(cursor.pos, cursor.end)
        cursor.fail(
            "unclosed",
            f"`{bracket}` is never closed",
            opened,
            opened + 1,
            label="opened here",
            help=f"write `{_CLOSERS[bracket]}` where it ends; indent the lines inside deeper than the key",
            related=(Related(cursor.source.span(at, at), "still open here"),),
        )

    def _refuse(self, opened: int) -> NoReturn:
        cursor = self._cursor
        pos = cursor.pos
        bracket = cursor.text[opened]
        reference = _REFERENCE.match(cursor.text, pos) or _REFERENCE.match(cursor.text, max(pos - 1, 0))
        if reference:
            cursor.fail(
                "unquoted-reference",
                f"`{reference.group()}` must be in quotes inside `{bracket}…{_CLOSERS[bracket]}`",
                *reference.span(),
                label="`{` opens a mapping here",
                help=f'write `"{reference.group()}"`',
            )
        if cursor.char in "]}":
            self._mismatched(opened)
        if cursor.char in _RESERVED:
            message = f"`{cursor.char}` cannot begin a value"
            cursor.fail("yaml-syntax", message, pos, help="put the value in quotes")
        expected = f"`,` or `{_CLOSERS[bracket]}`" if cursor.char != "," else "a value before this `,`"
        where = (Related(cursor.source.span(opened, opened + 1), f"inside this `{bracket}`"),)
        cursor.fail("yaml-syntax", f"expected {expected}", pos, label="not expected here", related=where)

    def _mismatched(self, opened: int) -> NoReturn:
        cursor = self._cursor
        bracket = cursor.text[opened]
        where = (Related(cursor.source.span(opened, opened + 1), "opened here"),)
        message = f"`{cursor.char}` does not close `{bracket}`"
        cursor.fail("unclosed", message, cursor.pos, help=f"write `{_CLOSERS[bracket]}`", related=where)


_CLOSERS = {"[": "]", "{": "}"}
_RESERVED = "@`%"
_REFERENCE = re.compile(r"\$\{[^}\n]{0,200}\}")
