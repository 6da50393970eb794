"""The YAML tree as runexp keeps it: every key and value knows where it was written and how it came here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from runexp.diagnostics import Related, Span
from runexp.records import dataclass

Scalar: TypeAlias = str | int | float | bool | None


COMMAND_LINE = "--set"
"""The file that spans name where the command line wrote a value."""


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A single value; `text` is how it was written, without quotes, for use inside longer text.

    `secret` holds the text with the reference that gave a value nobody may print, such as `${secret:TOKEN}`.
    What is `broken` has been reported already: whoever judges it next stays silent about it.
    """

    value: Scalar
    span: Span
    chain: tuple[Related, ...] = ()
    text: str = ""
    secret: str = ""
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value, and the values written for the same key that it won over, latest first."""

    key: str
    key_span: Span
    value: Node
    beat: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class MappingNode:
    """Names with their values, in the order written."""

    entries: tuple[Entry, ...]
    span: Span
    chain: tuple[Related, ...] = ()

    def get(self, key: str) -> Node | None:
        """The value of `key`, if it is there."""
        entry = self.entry(key)
        return entry.value if entry else None

    def entry(self, key: str) -> Entry | None:
        """The whole entry of `key`, if it is there."""
        for entry in self.entries:
            if entry.key == key:
                return entry
        return None

    def keys(self) -> Iterator[str]:
        """The names, in the order written."""
        return (entry.key for entry in self.entries)


@dataclass(frozen=True, slots=True)
class SequenceNode:
    """Values in the order written."""

    items: tuple[Node, ...]
    span: Span
    chain: tuple[Related, ...] = ()


Node: TypeAlias = ScalarNode | MappingNode | SequenceNode
Path: TypeAlias = tuple[str | int, ...]


def is_null(node: Node) -> bool:
    """Whether the node is an empty value or the word `null`."""
    return isinstance(node, ScalarNode) and node.value is None


def kind_of(node: Node) -> str:
    """What a user would call this node."""
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    return _SCALAR_KINDS[type(node.value)]


_SCALAR_KINDS: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "empty",
}
