"""For every row, the rows it may be drawn with: stretches of a sorted order, never a table of pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from runexp.runtime.data.table import Array
from runexp.runtime.sampling.conditions import Accepts
from runexp.runtime.sampling.groups import within

_BLOCK = 1 << 20
"""Pairs looked at together."""

_MOST_KEPT = 1 << 22
"""Pairs looked at once and kept, instead of anew each time one is drawn."""

_TRIES = 128


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The rows at `order[starts:stops]` of each of R stretches (N, R), less the row itself, less what is not accepted.

    `place` (N,) is where each row stands in `order` (M,); -1 where it is not among its own candidates.
    `ends` (N, R) counts candidates up to the end of a stretch; `own` (N,) is the row itself among them; `room` (N,) is
    how many others there are.
    """

    order: Array
    starts: Array
    stops: Array
    place: Array
    accepts: Accepts | None = None
    ends: Array = field(init=False)
    own: Array = field(init=False)
    room: Array = field(init=False)

    def __post_init__(self) -> None:
        lengths = self.stops - self.starts
        ends = np.cumsum(lengths, axis=1)
        holds_own = (self.starts <= self.place[:, None]) & (self.place[:, None] < self.stops)
        at = (ends - lengths + self.place[:, None] - self.starts)[np.arange(len(ends)), holds_own.argmax(axis=1)]
        is_own = holds_own.any(axis=1)
        object.__setattr__(self, "ends", ends)
        object.__setattr__(self, "own", np.where(is_own, at, np.iinfo(np.int64).max))
        object.__setattr__(self, "room", ends[:, -1] - is_own)

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.room)

    def draw(self, anchors: Array, fractions: Array, generator: Generator) -> Array:
        """(n,) one of the candidates of each anchor, -1 where it has none.

        A fraction in [0, 1) says which, where all are accepted: candidates stand for equal parts of it.
        """
        room = self.room[anchors]
        found = self._at(anchors, np.minimum((fractions * room).astype(np.int64), room - 1))
        return found if self.accepts is None else self._until_accepted(anchors, found, self.accepts, generator)

    def reached(self) -> Array:
        """(N,) bool: whether a row has any candidate."""
        if self.accepts is None:
            return np.asarray(self.room > 0)
        rows, generator = np.arange(self.n_rows), np.random.default_rng(0)
        return np.asarray(self.draw(rows, generator.random(self.n_rows), generator) >= 0)

    def counts(self) -> Array:
        """(N,) how many candidates each row has."""
        if self.accepts is None:
            return self.room
        counts = np.zeros(self.n_rows, np.int64)
        for owners, _ in self.everyone():
            counts += np.bincount(owners, minlength=len(counts))
        return counts

    def everyone(self) -> Iterator[tuple[Array, Array]]:
        """All rows (n,) with their candidates (n,), in blocks."""
        return self._accepted(np.arange(self.n_rows))

    def kept(self) -> Candidates:
        """The same with the accepted ones written out, where they are few enough; so drawing needs no second look."""
        if self.accepts is None or self.room.sum() > _MOST_KEPT:
            return self
        blocks = list(self.everyone())
        counts = np.bincount(np.concatenate([owners for owners, _ in blocks]), minlength=self.n_rows)
        stops = np.cumsum(counts)[:, None]
        order = np.concatenate([found for _, found in blocks])
        return Candidates(order, stops - counts[:, None], stops, np.full(self.n_rows, -1))

    def _at(self, anchors: Array, index: Array) -> Array:
        """(n,) the candidate of that number, from 0 on and without the row itself; -1 where the number is below 0."""
        index = index + (index >= self.own[anchors])
        stretch = np.minimum((index[:, None] >= self.ends[anchors]).sum(axis=1), self.ends.shape[1] - 1)
        position = self.stops[anchors, stretch] + index - self.ends[anchors, stretch]
        return np.where(index < 0, -1, np.append(self.order, -1)[np.where(index < 0, -1, position)])

    def _until_accepted(self, anchors: Array, found: Array, accepts: Accepts, generator: Generator) -> Array:
        """Draw again what is not accepted; after many tries look at all that an anchor has."""
        pending = np.flatnonzero(found >= 0)
        for _ in range(_TRIES):
            pending = pending[~accepts(anchors[pending], found[pending])]
            if not len(pending):
                return found
            room = self.room[anchors[pending]]
            found[pending] = self._at(anchors[pending], generator.integers(room))
        found[pending] = -1
        for owners, accepted in self._accepted(anchors[pending]):
            first, n_accepted = np.unique(owners, return_index=True, return_counts=True)[1:]
            found[pending[owners[first]]] = accepted[first + generator.integers(n_accepted)]
        return found

    def _accepted(self, anchors: Array) -> Iterator[tuple[Array, Array]]:
        """Every accepted candidate, in blocks that end with an anchor: its position in `anchors`, and the row."""
        room = self.room[anchors]
        block = np.cumsum(room) // _BLOCK
        for owners in np.split(np.arange(len(anchors)), np.flatnonzero(np.diff(block)) + 1):
            owner = np.repeat(owners, room[owners])
            found = self._at(anchors[owner], within(room[owners]))
            is_accepted = slice(None) if self.accepts is None else self.accepts(anchors[owner], found)
            yield owner[is_accepted], found[is_accepted]
