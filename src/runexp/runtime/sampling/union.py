"""Candidates that miss a condition or more: each looked for where it is missed, none counted twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from runexp.runtime.data.table import Array
from runexp.runtime.sampling.candidates import Candidates
from runexp.runtime.sampling.conditions import Condition


@dataclass(frozen=True, slots=True, eq=False)
class MissingAny:
    """For every row, those that miss one of the conditions: `parts[k]` are those that miss the k-th, all of them.

    A row that misses several counts where it misses the first. So of what is tried one in `len(parts)` is accepted at
    least, however few there are.
    """

    conditions: Sequence[Condition]
    parts: Sequence[Candidates]

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.parts[0].room)

    def draw(self, anchors: Array, fractions: Array, generator: Generator) -> Array:
        """(n,) one of the candidates of each anchor, -1 where it has none."""
        ends = np.cumsum([part.room for part in self.parts], axis=0)
        found = np.full(len(anchors), -1)
        pending = np.flatnonzero(ends[-1, anchors])
        while len(pending):
            number = generator.integers(ends[-1, anchors[pending]])
            chosen = (number >= ends[:, anchors[pending]]).sum(axis=0)
            for index, part in enumerate(self.parts):
                units = pending[chosen == index]
                found[units] = part.draw(anchors[units], generator.random(len(units)), generator)
            pending = pending[~self._is_first_missed(chosen, anchors[pending], found[pending])]
        return found

    def reached(self) -> Array:
        """(N,) bool: whether a row has any candidate."""
        return np.asarray(np.any([part.room > 0 for part in self.parts], axis=0))

    def counts(self) -> Array:
        """(N,) how many candidates each row has."""
        counts = np.zeros(self.n_rows, np.int64)
        for index, part in enumerate(self.parts):
            for owners, found in part.everyone():
                is_first = self._is_first_missed(np.full(len(owners), index), owners, found)
                counts += np.bincount(owners[is_first], minlength=len(counts))
        return counts

    def _is_first_missed(self, missed: Array, first: Array, second: Array) -> Array:
        """(n,) bool: whether pairs meet all conditions before the one they miss."""
        met = np.ones(len(first), bool)
        for index, condition in enumerate(self.conditions[:-1]):
            later = np.flatnonzero(missed > index)
            met[later] &= condition.holds(first[later], second[later])
        return met
