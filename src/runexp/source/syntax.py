"""YAML text → nodes: recursive descent, its size, depth and time bounded before anything is built.

All of YAML 1.2 but explicit keys (`? key`), keys that are not text, tags other than the core ones and more
than one document: a spec needs none of them, and each is refused by name.
"""

from __future__ import annotations

import re
from typing import NoReturn

from runexp.diagnostics import Diagnostic
from runexp.source.cursor import Cursor
from runexp.source.flow import Flow
from runexp.source.leaves import Leaves
from runexp.source.merge_keys import Slot, assembled
from runexp.source.nodes import MappingNode, Node, SequenceNode
from runexp.source.text import SourceText, UnreadableError


def parse(source: SourceText) -> tuple[Node | None, list[Diagnostic]]:
    """The tree of a text and every mistake found; no tree if one of them hides the rest."""
    leaves = Leaves(Cursor(source))
    try:
        return _Block(leaves).document(), leaves.found
    except UnreadableError as stopped:
        return None, [*leaves.found, stopped.diagnostic]


class _Block:
    """Reads block structure; every method leaves the cursor behind what it read."""

    def __init__(self, leaves: Leaves) -> None:
        self._leaves = leaves
        self._cursor = leaves.cursor
        self._flow = Flow(leaves)

    def document(self) -> Node:
        """The only document of the text."""
        marked = self._directives()
        node = self._value(-1, depth=0, same_column=-1, fresh=not marked)
        cursor = self._cursor
        cursor.skip_blanks()
        if cursor.text.startswith("...", cursor.pos) and cursor.at_end():
            end = cursor.pos
            cursor.pos += 3
            cursor.skip_blanks()
            if cursor.pos < cursor.end:
                cursor.fail("many-documents", "`...` ends the spec, and more follows", end, end + 3, help="remove it")
        if cursor.pos < cursor.end:
            self._refuse_rest()
        return node

    def _directives(self) -> bool:
        """Go over what stands before the content; true if a `---` ends it on the content's line."""
        cursor = self._cursor
        cursor.skip_blanks()
        while cursor.char == "%" and cursor.column == 0:
            line_end = cursor.text.index("\n", cursor.pos)
            if not _YAML_DIRECTIVE.match(cursor.text, cursor.pos):
                cursor.fail("yaml-syntax", "only the directive `%YAML 1.2` is known here", cursor.pos, line_end)
            cursor.move_to(line_end)
            cursor.skip_blanks()
        if cursor.text.startswith("---", cursor.pos) and cursor.at_end():
            cursor.pos += 3
            return True
        return False

    def _refuse_rest(self) -> NoReturn:
        cursor = self._cursor
        if cursor.text.startswith("---", cursor.pos):
            cursor.fail(
                "many-documents",
                "a spec is one YAML document, and a second one begins here",
                cursor.pos,
                cursor.pos + 3,
                help="put the other one into a file of its own",
            )
        self._refuse_line(cursor.pos)

    def _value(self, indent: int, *, depth: int, same_column: int, fresh: bool = False) -> Node:
        """The node after an indicator: on its line, or on later lines indented deeper than `indent`.

        A list may also begin at `same_column`, the column of the key that it belongs to.
        """
        cursor, leaves = self._cursor, self._leaves
        after = cursor.pos
        fresh = cursor.skip_blanks() or fresh
        properties = None
        if self._belongs(indent, same_column, fresh=fresh) and cursor.char in "&!" and not (fresh and self._at_key()):
            properties = leaves.properties()
            after = cursor.pos
            fresh = cursor.skip_blanks()
        tag = properties.tag if properties else ""
        if not self._belongs(indent, same_column, fresh=fresh):
            return leaves.anchored(properties, depth, lambda: leaves.empty(after, tag))
        if fresh:
            cursor.refuse_tab_indent()
        return leaves.anchored(properties, depth, lambda: self._content(indent, depth, tag, fresh=fresh))

    def _belongs(self, indent: int, same_column: int, *, fresh: bool) -> bool:
        cursor = self._cursor
        if cursor.at_end():
            return False
        if not fresh or cursor.column > indent:
            return True
        return cursor.column == same_column and self._at_dash()

    def _content(self, indent: int, depth: int, tag: str, *, fresh: bool) -> Node:
        cursor, start = self._cursor, self._cursor.pos
        if self._at_dash():
            return self._sequence(depth) if fresh else self._refuse_inline_list()
        if fresh and self._at_key():
            return self._mapping(depth)
        if cursor.char in "|>":
            return self._leaves.block_scalar(indent, tag)
        if cursor.char in "[{":
            node: Node | None = self._flow.collection(indent, depth)
        else:
            node = self._leaves.scalar_or_alias(indent, depth, tag, flow=False)
        if node is None:
            self._refuse_line(cursor.pos)
        self._close_line(start)
        return node

    def _at_dash(self) -> bool:
        return self._cursor.char == "-" and self._cursor.text[self._cursor.pos + 1] in " \t\n"

    def _at_key(self) -> bool:
        return _KEY_LINE.match(self._cursor.text, self._cursor.pos) is not None

    def _sequence(self, depth: int) -> SequenceNode:
        cursor = self._cursor
        start, column = cursor.pos, cursor.column
        self._leaves.budget.enter(depth)
        items: list[Node] = []
        while cursor.column == column and not cursor.at_end() and self._at_dash():
            cursor.pos += 1
            self._leaves.content_end = cursor.pos
            items.append(self._item(column, depth + 1))
            self._next_line(column)
        return SequenceNode(tuple(items), cursor.source.span(start, self._leaves.content_end))

    def _item(self, column: int, depth: int) -> Node:
        """What follows a `- `: a mapping or list may begin on the same line, indented by where it begins."""
        cursor = self._cursor
        after = cursor.pos
        gap = _SPACES.match(cursor.text, after)
        cursor.pos = gap.end() if gap else after
        if self._at_dash() or self._at_key():
            if "\t" in cursor.text[after : cursor.pos]:
                cursor.fail("tab-indentation", "a tab stands between `-` and its item", after, help="use a space")
            return self._sequence(depth) if self._at_dash() else self._mapping(depth)
        cursor.pos = after
        return self._value(column, depth=depth, same_column=-1)

    def _mapping(self, depth: int) -> MappingNode:
        cursor = self._cursor
        start, column = cursor.pos, cursor.column
        self._leaves.budget.enter(depth)
        slots: list[Slot] = []
        while cursor.column == column and not cursor.at_end():
            slots.append(self._entry(column, depth))
            self._next_line(column)
        return MappingNode(assembled(slots, self._leaves), cursor.source.span(start, self._leaves.content_end))

    def _entry(self, column: int, depth: int) -> Slot:
        cursor = self._cursor
        start = cursor.pos
        if not self._at_key():
            self._refuse_line(start)
        key = self._leaves.key(flow=False)
        gap = _SPACES.match(cursor.text, cursor.pos)
        cursor.pos = gap.end() if gap else cursor.pos
        if cursor.char != ":":
            self._refuse_line(start)
        cursor.pos += 1
        self._leaves.content_end = cursor.pos
        value = self._value(column, depth=depth + 1, same_column=column)
        return Slot(key.text, cursor.source.span(key.start, key.end), value, merge=key.merge)

    def _next_line(self, column: int) -> None:
        """Go to the line after an item; one that is deeper than its siblings belongs to nothing."""
        cursor = self._cursor
        cursor.skip_blanks()
        cursor.refuse_tab_indent()
        if cursor.pos >= cursor.end or cursor.column <= column:
            return
        cursor.fail(
            "yaml-syntax",
            _TOO_DEEP,
            cursor.pos,
            self._shown_end(cursor.pos),
            label=f"indented by {cursor.column}, its neighbours by {column}",
            help=_ALIGN,
        )

    def _close_line(self, start: int) -> None:
        """After the value that began at `start` only blanks and a comment may follow on its line."""
        cursor = self._cursor
        if cursor.skip_blanks() or cursor.pos >= cursor.end:
            return
        if cursor.line_start > start:
            self._refuse_lines(start)
        if cursor.char == ":" and cursor.text[cursor.pos + 1] in " \t\n":
            cursor.fail(
                "yaml-syntax",
                "a mapping cannot begin here, in the middle of a value",
                cursor.pos,
                label="not expected here",
                help="quote the value if the colon is part of it, or begin the mapping on a line of its own",
            )
        cursor.fail(
            "yaml-syntax",
            "there is more text after the value",
            cursor.pos,
            self._shown_end(cursor.pos),
            label="not expected here",
            help="put the whole value in quotes; a comment begins with ` #`",
        )

    def _refuse_lines(self, start: int) -> None:
        """Fail for a value that runs over lines and is followed by more: it was not meant to be so long."""
        cursor = self._cursor
        first = cursor.text[start : cursor.text.index("\n", start)]
        if first[:1] in ("'", '"'):
            message = (
                f"this quote is not closed on its line; the next one stands on line {cursor.source.line_of(cursor.pos)}"
            )
            cursor.fail("unclosed", message, start, label="opened here", help=f"close it with `{first[0]}`")
        if cursor.char != ":" or first[:1] in "[{*":
            return
        if _UNSPACED.match(first):
            self._refuse_line(start)
        line = cursor.text[cursor.line_start : cursor.pos]
        at = cursor.pos - len(line.lstrip())
        cursor.fail("yaml-syntax", _TOO_DEEP, at, self._shown_end(at), help=_ALIGN)

    def _refuse_inline_list(self) -> NoReturn:
        self._cursor.fail(
            "yaml-syntax",
            "a list cannot begin on the line of its key",
            self._cursor.pos,
            help="begin it on the next line, or write it as `[…]`",
        )

    def _refuse_line(self, pos: int) -> NoReturn:
        cursor = self._cursor
        line = cursor.text[pos : self._shown_end(pos)]
        if line[:2] in ("? ", "?"):
            cursor.fail("yaml-syntax", "explicit keys (`? key`) are not supported", pos, help="write `key: value`")
        if line[:1] in _CANNOT_BEGIN:
            cursor.fail("yaml-syntax", f"`{line[:1]}` cannot stand here", pos, help="quote the value if it is text")
        spaced = _UNSPACED.match(line)
        cursor.fail(
            "yaml-syntax",
            "expected `key: value` here",
            pos,
            pos + len(line),
            help=f"write a space after the colon: `{spaced[1]}: {spaced[2]}`" if spaced else _MAPPING_HELP,
        )

    def _shown_end(self, pos: int) -> int:
        """The end of what a caret line should mark: this line, without blanks, at most 60 characters."""
        line_end = self._cursor.text.index("\n", pos) if pos < self._cursor.end else pos
        return pos + max(1, len(self._cursor.text[pos : min(line_end, pos + 60)].rstrip()))


_YAML_DIRECTIVE = re.compile(r"%YAML[ \t]+1\.[0-9]{1,3}[ \t]*(?:[ \t]#[^\n]*)?\n")
_KEY_LINE = re.compile(
    r"(?:[&!][^ \t\n\0,\[\]{}]*[ \t]+)*+"
    r"(?:\"(?:[^\"\\\n]++|\\[^\n\0])*+\"|'(?:[^'\n]++|'')*+'"
    r"|\*[^ \t\n\0,\[\]{}]++"
    r"|(?:[^ \t\n\0\-?:,\[\]{}#&*!|>'\"%@`]|[-?:](?=[^ \t\n\0]))"
    r"(?:[^ \t\n\0:#]++|:(?=[^ \t\n\0])|(?<![ \t\n])\#|[ \t]++(?=[^ \t\n\0#:]|:[^ \t\n\0]))*+"
    r"|(?=:))[ \t]*:(?=[ \t\n])"
)
_SPACES = re.compile(r"[ \t]*")
_UNSPACED = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*):(\S.*)")
_CANNOT_BEGIN = "@`%,]}[{*&!|>\"'"
_TOO_DEEP = "this line is indented deeper than its neighbours and belongs to nothing"
_ALIGN = "align it with its neighbours, or leave the value before it empty"
_MAPPING_HELP = "each line of a mapping is a key, a colon, a space and a value"
