"""Counts what a document holds while it is read, so that no bomb is ever built."""

from __future__ import annotations

from runexp.source.cursor import Cursor
from runexp.source.limits import MAX_ALIASES, MAX_DEPTH, MAX_EXPANDED_NODES, MAX_NODES


class Budget:
    """Nodes written, aliases used, nodes with aliases expanded, and the deepest level reached."""

    __slots__ = ("_aliases", "_cursor", "_nodes", "expanded", "reach")

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._nodes = self._aliases = 0
        self.expanded = self.reach = 0

    def node(self) -> None:
        """One more node is written at the cursor."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._refuse(f"the spec holds more than {MAX_NODES:,} values")
        self.copied(1)

    def enter(self, depth: int) -> None:
        """A collection opens at a depth; the outermost has depth 0."""
        self.node()
        self._reached(depth + 1)

    def alias(self, depth: int, size: int, height: int) -> None:
        """An alias at a depth stands for `size` nodes, `height` levels of collections."""
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._refuse(f"the spec uses more than {MAX_ALIASES:,} aliases")
        self.copied(size)
        self._reached(depth + height)

    def copied(self, size: int) -> None:
        """An alias or a merge key makes that many more nodes."""
        self.expanded += size
        if self.expanded > MAX_EXPANDED_NODES:
            self._refuse(f"with its aliases expanded the spec holds more than {MAX_EXPANDED_NODES:,} values")

    def _reached(self, level: int) -> None:
        self.reach = max(self.reach, level)
        if level > MAX_DEPTH:
            self._refuse(f"mappings and lists are nested more than {MAX_DEPTH} deep")

    def _refuse(self, message: str) -> None:
        pos = self._cursor.pos
        self._cursor.fail("limit-exceeded", message, pos, pos + 1, label="the limit is passed here")
