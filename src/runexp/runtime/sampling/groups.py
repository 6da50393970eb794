"""Rows by the values they share: classes, groups, cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from runexp.runtime.data.table import Array


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Which rows have equal values. `codes` (N,) from 0 on; `order` (N,) is the rows by code, then by position.

    The rows of code c are `order[starts[c] : starts[c] + counts[c]]`.
    """

    codes: Array
    order: Array
    starts: Array
    counts: Array

    @classmethod
    def of(cls, *columns: Array) -> Groups:
        """Rows are together where they are equal in every column; of no column: never asked."""
        codes = codes_of(columns[0])
        for column in columns[1:]:
            more = codes_of(column)
            codes = codes_of(codes * (int(more.max(initial=0)) + 1) + more)
        counts = np.bincount(codes) if len(codes) else np.zeros(0, np.int64)
        return cls(codes, np.argsort(codes, kind="stable"), np.cumsum(counts) - counts, counts)

    @property
    def n_groups(self) -> int:
        """How many different values there are."""
        return len(self.counts)

    def shuffled(self, generator: Generator, ranks: Array | None = None) -> Array:
        """(N,) the rows, group after group in the order of their ranks (of their codes), each in a new order."""
        rows = generator.permutation(len(self.codes))
        codes = self.codes[rows] if ranks is None else ranks[self.codes[rows]]
        order: Array = rows[np.argsort(codes, kind="stable")]
        return order

    def copies(self, n_copies: Array, generator: Generator) -> tuple[Array, Array, Array]:
        """Every group so many times over, each time in a new order.

        Gives, a copy after the other and all copies of a group together, (n,) the rows, their groups, and their
        positions in their copy.
        """
        groups = np.repeat(np.arange(self.n_groups), n_copies)
        lengths = self.counts[groups]
        copy = np.repeat(np.arange(len(groups)), lengths)
        position = within(lengths)
        rows = self.order[self.starts[groups[copy]] + position]
        return rows[np.lexsort((generator.random(len(rows)), copy))], groups[copy], position


def codes_of(column: Array) -> Array:
    """(N,) whole numbers from 0 on, equal where the rows' values are, in the order of the values."""
    flat = column if column.ndim == 1 else column.reshape(len(column), -1)
    codes: Array = np.unique(flat, axis=None if column.ndim == 1 else 0, return_inverse=True)[1].reshape(-1)
    return codes


def within(lengths: Array) -> Array:
    """Positions from 0 on in each of consecutive stretches: `[2, 3]` gives `[0, 1, 0, 1, 2]`."""
    starts = np.cumsum(lengths) - lengths
    positions: Array = np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
    return positions


def ranges_of(column: Array, n_ranges: int) -> Array:
    """(N,) which of so many ranges of equally many rows a number is in; equal numbers are in one range."""
    edges = np.quantile(column, np.arange(1, n_ranges) / n_ranges)
    return np.searchsorted(edges, column, side="right").astype(np.int64)
