"""A text as YAML alone: what it says, whatever its references, bases and sections may lack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runexp.diagnostics import Diagnostic, SpecError
from runexp.source import MappingNode, Node, SequenceNode
from runexp.source.nodes import is_null, kind_of
from runexp.source.syntax import parse
from runexp.source.text import UnreadableError, checked, decode


@dataclass(frozen=True, slots=True)
class Readable:
    """A text without a byte order mark, and the plain data it stands for."""

    text: str
    plain: dict[str, Any]


def readable(data: bytes | str, file: str) -> Readable:
    """The text of bytes and what it says; `SpecError` with every mistake of its YAML, or if it is no mapping."""
    try:
        source = decode(data, file) if isinstance(data, bytes) else checked(data, file)
    except UnreadableError as stopped:
        raise SpecError([stopped.diagnostic]) from stopped
    node, found = parse(source)
    mistakes: list[Diagnostic] = [mistake for mistake in found if mistake.is_error]
    if node is None or mistakes:
        raise SpecError(mistakes)
    if not isinstance(node, MappingNode):
        message = "the text holds no spec" if is_null(node) else f"a spec is a mapping, and this is {kind_of(node)}"
        raise SpecError([Diagnostic("empty-spec" if is_null(node) else "not-a-mapping", message, node.span)])
    return Readable(source.text, {entry.key: _plain(entry.value) for entry in node.entries})


def _plain(node: Node) -> Any:  # noqa: ANN401 - any JSON-like value
    if isinstance(node, MappingNode):
        return {entry.key: _plain(entry.value) for entry in node.entries}
    if isinstance(node, SequenceNode):
        return [_plain(item) for item in node.items]
    return node.value
