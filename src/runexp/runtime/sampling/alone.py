"""Rows drawn alone: in order, shuffled, with replacement, and in batches that keep the shares of classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from runexp.runtime.data.table import Array
from runexp.runtime.sampling.groups import Groups
from runexp.runtime.sampling.units import Units, cut


@dataclass(frozen=True, slots=True, eq=False)
class Plain:
    """Every row once, or the first so many of a new order."""

    n_rows: int
    n_units: int
    size: int
    drop_last: bool
    shuffle: bool

    def sizes(self, generator: Generator) -> tuple[list[int], ...]:
        """Full batches, and what is left."""
        return (cut(self.n_units, self.size, drop_last=self.drop_last),)

    def epoch(self, generator: Generator) -> tuple[Units, ...]:
        """A permutation, or the rows as they stand."""
        rows = generator.permutation(self.n_rows) if self.shuffle else np.arange(self.n_rows)
        return (Units((rows[: self.n_units],)),)


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """Rows with replacement, in proportion to `weights` (N,)."""

    weights: Array
    n_units: int
    size: int
    drop_last: bool

    def sizes(self, generator: Generator) -> tuple[list[int], ...]:
        """Full batches, and what is left."""
        return (cut(self.n_units, self.size, drop_last=self.drop_last),)

    def epoch(self, generator: Generator) -> tuple[Units, ...]:
        """Rows where random numbers fall on the weights laid end to end; a weight of 0 has no length."""
        ends = np.cumsum(self.weights)
        rows = np.searchsorted(ends, generator.random(self.n_units) * ends[-1], side="right")
        return (Units((np.minimum(rows, np.flatnonzero(self.weights)[-1]),)),)


@dataclass(frozen=True, slots=True, eq=False)
class Stratified:
    """Every row once; in each batch the classes have their shares, within one row."""

    classes: Groups
    size: int
    drop_last: bool
    shuffle: bool

    def sizes(self, generator: Generator) -> tuple[list[int], ...]:
        """Full batches, and what is left."""
        return (cut(len(self.classes.codes), self.size, drop_last=self.drop_last),)

    def epoch(self, generator: Generator) -> tuple[Units, ...]:
        """Classes in a new order, each shuffled, dealt."""
        if not self.shuffle:
            return (Units((self.classes.order[dealt(len(self.classes.order), self.size, None)],)),)
        order = self.classes.shuffled(generator, generator.permutation(self.classes.n_groups))
        return (Units((order[dealt(len(order), self.size, generator)],)),)


@dataclass(frozen=True, slots=True, eq=False)
class ClassBalanced:
    """Equally many rows of every class in each batch, and of a class every row equally often, both within one."""

    classes: Groups
    n_units: int
    size: int
    drop_last: bool

    def sizes(self, generator: Generator) -> tuple[list[int], ...]:
        """Full batches, and what is left."""
        return (cut(self.n_units, self.size, drop_last=self.drop_last),)

    def epoch(self, generator: Generator) -> tuple[Units, ...]:
        """One row of each class in turn, each class as often as it takes; cut, then shuffled."""
        n_classes = self.classes.n_groups
        classes = generator.permutation(n_classes)[np.arange(self.n_units) % n_classes]
        uses = np.bincount(classes, minlength=n_classes)
        rows, groups, _ = self.classes.copies(-(-uses // self.classes.counts), generator)
        order = np.empty(self.n_units, np.int64)
        order[np.argsort(classes, kind="stable")] = rows[_first(groups, uses)]
        full = order[: self.n_units // self.size * self.size].reshape(-1, self.size)
        full = generator.permuted(full[generator.permutation(len(full))], axis=1)
        return (Units((np.concatenate([full.reshape(-1), order[full.size :]]),)),)


def dealt(n_units: int, size: int, generator: Generator | None) -> Array:
    """(n,) positions of units that stand class by class, batch after batch, each batch with its share of every class.

    In every batch a class has its exact share rounded up or down. The units of the short last batch are taken at equal
    distances; the others are dealt like cards, one to each full batch in turn. Without a generator nothing is shuffled.
    """
    n_full, n_rest = divmod(n_units, size)
    offset = 0 if generator is None else int(generator.integers(n_units)) if n_units else 0
    of_rest = (np.arange(n_rest) * n_units + offset) // max(1, n_rest)
    in_full = np.ones(n_units, bool)
    in_full[of_rest] = False
    full = np.flatnonzero(in_full).reshape(size, n_full).T
    if generator is not None:
        full = generator.permuted(full[generator.permutation(n_full)], axis=1)
        of_rest = generator.permutation(of_rest)
    return np.concatenate([full.reshape(-1), of_rest])


def _first(groups: Array, quotas: Array) -> Array:
    """Which of the units, group after group, are the first so many of their group."""
    lengths = np.bincount(groups, minlength=len(quotas))
    position = np.arange(len(groups)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.flatnonzero(position < quotas[groups])
