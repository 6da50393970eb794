"""The parts of YAML that hold no others: keys, scalars, aliases, and the anchors and tags before a node."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from runexp.diagnostics import Diagnostic, Related, Severity, did_you_mean
from runexp.records import dataclass
from runexp.source import scalars, values
from runexp.source.budget import Budget
from runexp.source.cursor import Cursor
from runexp.source.limits import MAX_DIAGNOSTICS, MAX_KEY
from runexp.source.nodes import MappingNode, Node, Scalar, ScalarNode, SequenceNode, kind_of


@dataclass(frozen=True, slots=True)
class Properties:
    """An anchor and a tag before a node, and the offset where they begin."""

    start: int
    anchor: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as text, between two offsets; `merge` for an unquoted `<<`."""

    text: str
    start: int
    end: int
    merge: bool


class Leaves:
    """Reads keys, scalars and aliases at the cursor and remembers anchors."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.budget = Budget(cursor)
        self.found: list[Diagnostic] = []
        self.content_end = 0  # where the last key or value ended: collections end there, not at what follows
        self._anchors: dict[str, tuple[Node, int, int]] = {}  # node, its size, its height
        self._open: set[str] = set()

    def properties(self) -> Properties | None:
        """The anchor and tag at the cursor, if any; only blanks on the same line are skipped between them."""
        cursor = self.cursor
        start, anchor, tag = cursor.pos, "", ""
        while cursor.char in "&!":
            match = (_ANCHOR if cursor.char == "&" else _TAG).match(cursor.text, cursor.pos)
            if match is None or (anchor if cursor.char == "&" else tag):
                cursor.fail("yaml-syntax", f"`{cursor.char}` cannot stand here", cursor.pos, help="quote the value")
            if cursor.char == "&":
                anchor = match.group()[1:]
            else:
                tag = self._core_tag(match.group())
            cursor.pos = match.end()
            cursor.pos = _SPACES.match(cursor.text, cursor.pos).end()  # type: ignore[union-attr]  # matches empty
        return Properties(start, anchor, tag) if anchor or tag else None

    def anchored(self, properties: Properties | None, depth: int, read: Callable[[], Node]) -> Node:
        """The node that `read` gives, checked against its tag and remembered by its anchor."""
        if properties is None:
            return read()
        before, reach = self.budget.expanded, self.budget.reach
        self.budget.reach = depth
        self._open.add(properties.anchor)
        node = read()
        self._open.discard(properties.anchor)
        height = self.budget.reach - depth
        self.budget.reach = max(reach, self.budget.reach)
        if properties.tag == _UNKNOWN or self._contradicts(node, properties):
            node = ScalarNode(None, node.span, broken=True)
        if properties.anchor:
            self._anchors[properties.anchor] = (node, self.budget.expanded - before, height)
        return node

    def key(self, *, flow: bool) -> Key:
        """The key at the cursor, which must be text."""
        cursor = self.cursor
        properties = self.properties()
        start, char = cursor.pos, cursor.char
        if char in "*[{":
            what = "an alias" if char == "*" else "a list or mapping"
            cursor.fail("key-not-text", f"{what} cannot be a key", start, help="keys are names: write it out")
        text = self._quoted(char) if char in "\"'" else scalars.plain(cursor, indent=-1 if flow else MAX_KEY, flow=flow)
        if cursor.pos - start > MAX_KEY:
            cursor.fail("limit-exceeded", f"a key is longer than {MAX_KEY} characters", start, start + 40)
        if char not in "\"'" and (properties is None or not properties.tag):
            self._check_key(text, start)
        self.content_end = cursor.pos
        if properties:
            self.anchored(properties, 0, lambda: self._node(text, text, start))
        return Key(text, start, cursor.pos, text == "<<" and char == "<")

    def scalar_or_alias(self, indent: int, depth: int, tag: str, *, flow: bool) -> Node | None:
        """The scalar or alias at the cursor; None where neither can begin."""
        cursor = self.cursor
        start, char = cursor.pos, cursor.char
        if char == "*":
            return self._alias(depth)
        if char in "\"'":
            text = self._quoted(char)
            return self._node(self._tagged(text, tag, start) if tag else text, text, start)
        text = scalars.plain(cursor, indent=indent, flow=flow)
        if not text or (flow and text == "$" and cursor.char == "{"):
            cursor.pos = start
            return None
        return self._node(self._tagged(text, tag, start) if tag else self._resolved(text, start), text, start)

    def block_scalar(self, indent: int, tag: str) -> ScalarNode:
        """The `|` or `>` scalar at the cursor."""
        start = self.cursor.pos
        text, end = scalars.block(self.cursor, indent=indent)
        self.content_end = min(end, self.cursor.end)
        value = self._tagged(text, tag, start) if tag else text
        self.budget.node()
        return ScalarNode(value, self.cursor.source.span(start, self.content_end), (), text)

    def empty(self, at: int, tag: str = "") -> ScalarNode:
        """The value of a key that has none."""
        self.budget.node()
        self.content_end = min(at, self.cursor.end)
        value = "" if tag in ("str", "!") else None
        return ScalarNode(value, self.cursor.source.span(self.content_end, self.content_end))

    def report(
        self,
        code: str,
        message: str,
        start: int,
        end: int,
        *,
        help: str = "",
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Note a mistake that does not keep the rest from being read."""
        self.note(Diagnostic(code, message, self.cursor.source.span(start, end), help=help, severity=severity))

    def note(self, diagnostic: Diagnostic) -> None:
        """Note a mistake; too many warnings are left out, too many errors end the reading."""
        if len(self.found) < MAX_DIAGNOSTICS:
            self.found.append(diagnostic)
        elif diagnostic.is_error:
            pos = self.cursor.pos
            self.cursor.fail("too-many-mistakes", "reading stops here, after too many mistakes", pos)

    def _quoted(self, quote: str) -> str:
        return scalars.double_quoted(self.cursor) if quote == '"' else scalars.single_quoted(self.cursor)

    def _node(self, value: Scalar, text: str, start: int) -> ScalarNode:
        self.budget.node()
        self.content_end = self.cursor.pos
        broken = value is None and text not in values.NULLS
        return ScalarNode(value, self.cursor.source.span(start, self.cursor.pos), (), text, "", broken)

    def _resolved(self, text: str, start: int) -> Scalar:
        end = self.cursor.pos
        if (len(text) <= 3 or text[0] == "0") and (trap := values.yaml_1_1_trap(text)):
            octal = f"write `0o{text.lstrip('0') or '0'}` for an octal number"
            advice = octal if text[0] == "0" else "write `true` or `false` for a switch"
            self.report(
                "yaml-1.1-word",
                trap,
                start,
                end,
                help=f'{advice}, or quote it: `"{text}"`',
                severity=Severity.WARNING,
            )
        try:
            return values.resolve(text)
        except values.NotOfTypeError as problem:
            self.report("bad-number", str(problem), start, end, help=_NUMBERS)
            return None

    def _tagged(self, text: str, tag: str, start: int) -> Scalar:
        try:
            return values.tagged(text, tag)
        except values.NotOfTypeError as problem:
            help = f"the tag `!!{tag}` asks for it; leave the tag out or mend the value"
            self.report("bad-tag-value", str(problem), start, self.cursor.pos, help=help)
            return None

    def _check_key(self, text: str, start: int) -> None:
        try:
            value = values.resolve(text)
        except values.NotOfTypeError:
            value = 0
        if isinstance(value, str):
            return
        kind = {type(None): "null", bool: "true or false"}.get(type(value), "a number")
        message = f"the key `{text}` is {kind}, not text" if text else "a key is empty"
        help = f'put it in quotes: `"{text}"`' if text else "write a name before the colon"
        self.report("key-not-text", message, start, max(self.cursor.pos, start + 1), help=help)

    def _core_tag(self, written: str) -> str:
        tag = written.removeprefix("!<tag:yaml.org,2002:").removesuffix(">") if written[1:2] == "<" else written[2:]
        if written == "!" or ((written.startswith("!!") or written[1:2] == "<") and tag in _TAGS):
            return tag or "!"
        start = self.cursor.pos
        shown = ", ".join(f"`!!{name}`" for name in _TAGS)
        self.report(
            "unknown-yaml-tag",
            f"the tag `{written[:40]}` is not known",
            start,
            start + len(written),
            help=f"a spec is plain data: leave the tag out; the core tags are {shown}",
        )
        return _UNKNOWN

    def _contradicts(self, node: Node, properties: Properties) -> bool:
        """Whether a tag stands before another kind of value, which is reported."""
        expected = {"map": MappingNode, "seq": SequenceNode}.get(properties.tag)
        wrong = not isinstance(node, expected) if expected else not isinstance(node, ScalarNode)
        wrong = wrong and properties.tag not in ("", "!")
        if wrong:
            start = properties.start
            message = f"the tag `!!{properties.tag}` stands before {kind_of(node)}"
            self.report("bad-tag-value", message, start, start + 2 + len(properties.tag), help="leave the tag out")
        return wrong

    def _alias(self, depth: int) -> Node | None:
        cursor = self.cursor
        start = cursor.pos
        match = _ANCHOR.match(cursor.text, start)
        if match is None:
            return None
        name = match.group()[1:]
        cursor.pos = self.content_end = match.end()
        span = cursor.source.span(start, cursor.pos)
        if name not in self._anchors:
            inside = name in self._open
            message = f"`*{name}` stands inside what it names" if inside else f"no anchor `&{name}` comes before"
            help = "" if inside else did_you_mean(name, self._anchors, kind="anchors")
            self.note(Diagnostic("unknown-anchor", message, span, help=help))
            self.budget.node()
            return ScalarNode(None, span, broken=True)
        node, size, height = self._anchors[name]
        self.budget.alias(depth, size, height)
        return replace(node, chain=(*node.chain, Related(span, f"used here as `*{name}`")))


_ANCHOR = re.compile(r"[&*][^ \t\n\0,\[\]{}]{1,256}")
_TAG = re.compile(r"!<[^ \t\n\0>]+>|![^ \t\n\0,\[\]{}]*")
_SPACES = re.compile(r"[ \t]*")
_UNKNOWN = "?"
_TAGS = ("str", "int", "float", "bool", "null", "map", "seq")
_NUMBERS = "whole numbers go from -2^63 to 2^63-1, others to 1.8e308; put it in quotes if it is meant as text"
