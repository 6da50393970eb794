"""Batches of rows that belong together: whole groups, one group, or similar lengths."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from runexp.runtime.data.table import Array
from runexp.runtime.sampling.groups import Groups, within
from runexp.runtime.sampling.units import Units, cut

_POOL = 32
"""Batches whose rows are sorted by length together: enough for batches of equal lengths, few enough to mix rows."""


class WholeGroups:
    """All rows of a group in one batch; a group larger than `size` is a batch of its own.

    Groups are packed once, by their sizes; each epoch groups of equal size change places, and batches do.
    """

    def __init__(self, groups: Groups, size: int, *, shuffle: bool) -> None:
        self._groups, self._shuffle = groups, shuffle
        self._by_size = np.argsort(-groups.counts, kind="stable")
        self._slots = packed(groups.counts[self._by_size].tolist(), size)
        n_batches = int(self._slots.max(initial=-1)) + 1
        sizes = np.bincount(self._slots, weights=groups.counts[self._by_size], minlength=n_batches)
        self._sizes = sizes.astype(np.int64)

    def sizes(self, generator: Generator) -> tuple[list[int], ...]:
        """The rows of the batches, in the order of the epoch."""
        sizes: list[int] = self._sizes[self._order(generator)].tolist()
        return (sizes,)

    def epoch(self, generator: Generator) -> tuple[Units, ...]:
        """Rows by batch, then by group, in the order of the split."""
        order = self._order(generator)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        groups = self._by_size
        if self._shuffle:
            groups = np.lexsort((generator.random(len(groups)), -self._groups.counts))
        batch = np.empty_like(groups)
        batch[groups] = rank[self._slots]
        codes = self._groups.codes
        return (Units((np.lexsort((codes, batch[codes])),)),)

    def _order(self, generator: Generator) -> Array:
        n_batches = len(self._sizes)
        return generator.permutation(n_batches) if self._shuffle else np.arange(n_batches)


class GroupsApart:
    """Batches of rows of one group: large groups are cut, small ones make small batches."""

    def __init__(self, groups: Groups, size: int, *, drop_last: bool, shuffle: bool) -> None:
        self._groups, self._shuffle = groups, shuffle
        pieces = [cut(count, size, drop_last=drop_last) for count in groups.counts.tolist()]
        self._sizes = np.array([size for piece in pieces for size in piece], np.int64)
        self._kept = np.array([sum(piece) for piece in pieces], np.int64)

    def sizes(self, generator: Generator) -> tuple[list[int], ...]:
        """The rows of the batches, in the order of the epoch."""
        sizes: list[int] = self._sizes[self._order(generator)].tolist()
        return (sizes,)

    def epoch(self, generator: Generator) -> tuple[Units, ...]:
        """Each group in a new order and cut; the batches of all groups in a new order."""
        order = self._order(generator)
        rows = self._groups.shuffled(generator) if self._shuffle else self._groups.order
        rows = rows[within(self._groups.counts) < self._kept[self._groups.codes[rows]]]
        starts = np.cumsum(self._sizes) - self._sizes
        taken = np.repeat(starts[order], self._sizes[order]) + within(self._sizes[order])
        return (Units((rows[taken],)),)

    def _order(self, generator: Generator) -> Array:
        n_batches = len(self._sizes)
        return generator.permutation(n_batches) if self._shuffle else np.arange(n_batches)


@dataclass(frozen=True, slots=True, eq=False)
class LengthBucketed:
    """Every row once, in batches of similar `lengths` (N,), which come in a new order."""

    lengths: Array
    size: int
    drop_last: bool
    shuffle: bool

    def sizes(self, generator: Generator) -> tuple[list[int], ...]:
        """Full batches, and what is left."""
        return (cut(len(self.lengths), self.size, drop_last=self.drop_last),)

    def epoch(self, generator: Generator) -> tuple[Units, ...]:
        """Random pools, each sorted and cut; the short batch is cut from anywhere in the last pool."""
        if not self.shuffle:
            return (Units((np.argsort(self.lengths, kind="stable"),)),)
        n_full, n_rest = divmod(len(self.lengths), self.size)
        n_pools = max(1, n_full // _POOL)
        rows = generator.permutation(len(self.lengths))
        pool = np.minimum(np.arange(len(rows)) // (self.size * _POOL), n_pools - 1)
        order = rows[np.lexsort((self.lengths[rows], pool))]
        at = self.size * int(generator.integers((n_pools - 1) * _POOL, n_full + 1))
        short = order[at : at + n_rest]
        full = np.delete(order, np.s_[at : at + n_rest]).reshape(n_full, self.size)
        return (Units((np.concatenate([full[generator.permutation(n_full)].reshape(-1), short]),)),)


def packed(sizes: Sequence[int], capacity: int) -> Array:
    """(n,) the batch of each of the sizes, which come from large to small: where it fits best, or a new one."""
    room: list[int] = []  # the different amounts of room left, sorted
    batches: dict[int, list[int]] = defaultdict(list)
    slots = np.empty(len(sizes), np.int64)
    n_batches = 0
    for index, size in enumerate(sizes):
        place = bisect_left(room, size)
        if place == len(room):
            batch, left = n_batches, capacity - size
            n_batches += 1
        else:
            found = room[place]
            batch, left = batches[found].pop(), found - size
            if not batches[found]:
                room.pop(place)
        slots[index] = batch
        if left > 0:
            if not batches[left]:
                insort(room, left)
            batches[left].append(batch)
    return slots
