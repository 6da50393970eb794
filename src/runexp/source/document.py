"""The composed spec as a tree that can tell, for every path, where its value was written and why it won."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from runexp.diagnostics import Related, Span
from runexp.records import dataclass
from runexp.source.nodes import COMMAND_LINE, Entry, MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class History:
    """Where the value of a path was written, the way it came, and the values it beat, latest first."""

    span: Span
    chain: tuple[Related, ...]
    beat: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A spec with `extends`, overrides, repeats and references applied.

    `files` holds each text under the name it is shown by, `--set` for the command line; `env` names the
    environment variables that were read; `composed` is the tree with its repeats and references as they were written.
    Items of a path are keys and indexes.
    """

    root: MappingNode
    files: Mapping[str, str]
    env: tuple[str, ...] = ()
    composed: MappingNode | None = None

    def find(self, path: Sequence[str | int]) -> Node | None:
        """The node at a path, if there is one."""
        nodes = self._along(path)
        return nodes[-1] if len(nodes) == len(path) + 1 else None

    def key_span(self, path: Sequence[str | int]) -> Span | None:
        """Where the key that ends a path was written."""
        entry = self._entry(path)
        return entry.key_span if entry else None

    def value_span(self, path: Sequence[str | int]) -> Span | None:
        """Where the value at a path was written."""
        node = self.find(path)
        return node.span if node else None

    def span_of(self, path: Sequence[str | int], part: Literal["key", "value"] = "value") -> Span:
        """The place of a path, or of the nearest ancestor that exists: a diagnostic always has a place.

        An ancestor is shown by its key, for its value may be a whole section.
        """
        there = path[: len(self._along(path)) - 1]
        if len(there) == len(path) and part == "value":
            return self._along(path)[-1].span
        while there:
            span = self.key_span(there) or self.value_span(there)
            if span:
                return span
            there = there[:-1]
        start = self.root.span
        return Span(start.file, start.line, start.column, start.line, start.column)

    def redirected(self, path: Sequence[str | int]) -> Span | None:
        """Where the command line made something else of the mapping at a path, which is why that lacks a key."""
        spans = [self.key_span((*path, key)) for key in ("use", "kind")]
        return next((span for span in spans if span and span.file == COMMAND_LINE), None)

    def chain(self, path: Sequence[str | int]) -> tuple[Related, ...]:
        """How the value at a path, or its nearest ancestor, came to stand there: innermost step first."""
        steps = [step for node in reversed(self._along(path)) for step in node.chain]
        return tuple(dict.fromkeys(steps))

    def history(self, path: Sequence[str | int]) -> History | None:
        """Where the winning value of a path was written and what it beat."""
        node, entry = self.find(path), self._entry(path)
        return History(node.span, self.chain(path), entry.beat if entry else ()) if node else None

    def is_broken(self, path: Sequence[str | int]) -> bool:
        """Whether a mistake at this path has been reported already."""
        last = self._along(path)[-1]
        return isinstance(last, ScalarNode) and last.broken

    def broken_paths(self) -> Iterator[Path]:
        """The paths of all values whose mistake has been reported already."""
        return _broken(self.root, ())

    def plain(self, *, redact: bool = False) -> dict[str, Any]:
        """Plain Python data; with `redact`, secrets give way to the references that name them."""
        return {entry.key: _plain(entry.value, redact) for entry in self.root.entries}

    def unresolved(self) -> dict[str, Any]:
        """Plain Python data in which every `${…}` and `repeat` stands as it was written: the same spec in one file."""
        return {entry.key: _plain(entry.value, redact=False) for entry in (self.composed or self.root).entries}

    def addresses(self) -> Iterator[str]:
        """The address of every value, as overrides write it: `phases.train.epochs`, `phases.train.losses[0]`."""
        return _addresses(self.root, "")

    def secrets(self) -> dict[str, str]:
        """The text of every value that nobody may print, and the reference that gave it."""
        return {str(node.value): node.secret for node in _scalars(self.root) if node.secret}

    def _along(self, path: Sequence[str | int]) -> list[Node]:
        """The nodes from the root along a path, as far as it exists."""
        nodes: list[Node] = [self.root]
        for item in path:
            inside = _inside(nodes[-1], item)
            if inside is None:
                break
            nodes.append(inside)
        return nodes

    def _entry(self, path: Sequence[str | int]) -> Entry | None:
        parent = self.find(path[:-1]) if path else None
        return parent.entry(str(path[-1])) if isinstance(parent, MappingNode) else None


def _broken(node: Node, path: Path) -> Iterator[Path]:
    if isinstance(node, ScalarNode) and node.broken:
        yield path
    elif isinstance(node, MappingNode):
        for entry in node.entries:
            yield from _broken(entry.value, (*path, entry.key))
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.items):
            yield from _broken(item, (*path, index))


def _scalars(node: Node) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        yield node
    elif isinstance(node, MappingNode):
        for entry in node.entries:
            yield from _scalars(entry.value)
    else:
        for item in node.items:
            yield from _scalars(item)


def _addresses(node: Node, prefix: str) -> Iterator[str]:
    if prefix:
        yield prefix
    if isinstance(node, MappingNode):
        for entry in node.entries:
            yield from _addresses(entry.value, f"{prefix}.{entry.key}" if prefix else entry.key)
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.items):
            yield from _addresses(item, f"{prefix}[{index}]")


def _inside(node: Node, item: str | int) -> Node | None:
    if isinstance(node, MappingNode):
        return node.get(str(item))
    if isinstance(node, SequenceNode) and isinstance(item, int) and 0 <= item < len(node.items):
        return node.items[item]
    return None


def _plain(node: Node, redact: bool) -> Any:  # noqa: ANN401  # any JSON-like value
    if isinstance(node, MappingNode):
        return {entry.key: _plain(entry.value, redact) for entry in node.entries}
    if isinstance(node, SequenceNode):
        return [_plain(item, redact) for item in node.items]
    return node.secret if redact and node.secret else node.value
