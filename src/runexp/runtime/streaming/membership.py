"""Which rows are in a split, a bit a row; and how rows are divided while a source streams by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runexp.runtime.data.table import Array


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Some rows of many: `bits` packs a bit a row, the first row first. `n_rows` counts those inside."""

    bits: Array
    n_rows: int

    def inside(self, start: int, stop: int) -> Array:
        """(stop - start,) bool: which of these neighbours are inside."""
        first = start // 8
        unpacked = np.unpackbits(self.bits[first : -(-stop // 8)])
        found: Array = unpacked[start - 8 * first : stop - 8 * first].view(bool)
        return found

    def count(self, start: int, stop: int) -> int:
        """How many of these neighbours are inside."""
        return int(np.count_nonzero(self.inside(start, stop)))


class MembersBuilder:
    """Notes rows of several splits and packs them; takes a byte a row and split while it does."""

    def __init__(self, n_rows: int) -> None:
        self._n_rows = n_rows
        self._noted: dict[str, Array] = {}

    def add(self, split: str, start: int, rows: Array) -> None:
        """Note rows of a split, numbered from `start`."""
        if split not in self._noted:
            self._noted[split] = np.zeros(self._n_rows, bool)
        self._noted[split][start + rows] = True

    def built(self, names: Sequence[str] = ()) -> dict[str, Members]:
        """The members of every split, in the order of `names`, else in that of their first rows."""
        for name in names:
            self.add(name, 0, np.empty(0, np.int64))
        return {name: packed(self._noted[name]) for name in names or self._noted}


def packed(inside: Array) -> Members:
    """(N,) bool as a bit a row."""
    return Members(np.packbits(inside), int(np.count_nonzero(inside)))


def everyone(n_rows: int) -> Members:
    """All rows."""
    return packed(np.ones(n_rows, bool))


def inside(splits: Mapping[str, Members], start: int, stop: int) -> Iterator[tuple[str, Array]]:
    """The rows of each split among neighbours, numbered from 0."""
    for name, members in splits.items():
        yield name, np.flatnonzero(members.inside(start, stop))
