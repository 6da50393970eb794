"""A text as YAML alone: what it says, whatever its references, bases and sections may lack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runexp.diagnostics import Diagnostic, SpecError
from runexp.source import MappingNode, Node, SequenceNode
from runexp.source.syntax import parse
from runexp.source.text import UnreadableError, checked, decode


@dataclass(frozen=True, slots=True)
class Readable:
    """A text without a byte order mark, and the plain data it stands for."""

    text: str
    plain: Any


def readable(data: bytes | str, file: str) -> Readable:
    """The text of bytes and what it says; `SpecError` with every mistake of its YAML."""
    try:
        source = decode(data, file) if isinstance(data, bytes) else checked(data, file)
    except UnreadableError as stopped:
        raise SpecError([stopped.diagnostic]) from stopped
    node, found = parse(source)
    mistakes: list[Diagnostic] = [mistake for mistake in found if mistake.is_error]
    if node is None or mistakes:
        raise SpecError(mistakes)
    return Readable(source.text, _plain(node))


def _plain(node: Node) -> Any:  # noqa: ANN401 - any JSON-like value
    if isinstance(node, MappingNode):
        return {entry.key: _plain(entry.value) for entry in node.entries}
    if isinstance(node, SequenceNode):
        return [_plain(item) for item in node.items]
    return node.value
