"""Episodes: a few classes a batch, and a few rows of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from runexp.runtime.data.table import Array
from runexp.runtime.sampling.groups import Groups
from runexp.runtime.sampling.units import Units


@dataclass(frozen=True, slots=True, eq=False)
class Episodes:
    """`n_way` different classes a batch, `k_shot` different rows of each; `n_queries` other rows in a second stream.

    `able` are the classes that have enough rows. All come equally often, within one, as do the rows of a class.
    """

    classes: Groups
    able: Array
    n_episodes: int
    n_way: int
    k_shot: int
    n_queries: int

    def sizes(self, generator: Generator) -> tuple[list[int], ...]:
        """Batches of one size in each stream."""
        rows = [count for count in (self.k_shot, self.n_queries) if count]
        return tuple([self.n_way * count] * self.n_episodes for count in rows)

    def epoch(self, generator: Generator) -> tuple[Units, ...]:
        """Rows class by class; the classes of an episode in the same order in both streams."""
        chosen = self._chosen(generator)
        rows = self._rows(chosen, generator)
        streams = [rows[:, : self.k_shot], rows[:, self.k_shot :]]
        return tuple(Units((np.ascontiguousarray(stream).reshape(-1),)) for stream in streams if stream.shape[1])

    def _chosen(self, generator: Generator) -> Array:
        """(episodes * n_way,) classes; no class comes twice in an episode."""
        in_lap = len(self.able) // self.n_way * self.n_way
        n_laps = -(-self.n_episodes * self.n_way // in_lap)
        laps = generator.permuted(np.tile(self.able, (n_laps, 1)), axis=1)[:, :in_lap]
        return laps.reshape(-1)[: self.n_episodes * self.n_way]

    def _rows(self, chosen: Array, generator: Generator) -> Array:
        """(n, k_shot + n_queries) different rows for each of the classes chosen."""
        n_taken = self.k_shot + self.n_queries
        uses = np.bincount(chosen, minlength=self.classes.n_groups)
        uses_of_copy = self.classes.counts // n_taken
        copies = -(-uses // np.maximum(1, uses_of_copy))
        rows, groups, position = self.classes.copies(copies, generator)
        is_taken = position < (uses_of_copy * n_taken)[groups]
        taken, owners = rows[is_taken].reshape(-1, n_taken), groups[is_taken].reshape(-1, n_taken)[:, 0]
        order = np.argsort(chosen, kind="stable")
        starts = np.searchsorted(owners, chosen[order])
        rank = np.arange(len(chosen)) - np.searchsorted(chosen[order], chosen[order])
        found = np.empty((len(chosen), n_taken), np.int64)
        found[order] = taken[starts + rank]
        return found
