"""Batches of a stream: windows of rows, mixed, read ahead, and cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from runexp.plan.data import StreamPlan
from runexp.plan.lanes import BatchPlan
from runexp.runtime.data.table import Array
from runexp.runtime.seeds import derive_seed
from runexp.runtime.streaming.column import StreamedColumn
from runexp.runtime.streaming.mixing import dealt, n_open, order_of, takes
from runexp.runtime.streaming.parquet_files import RowGroup
from runexp.runtime.streaming.prefetching import ahead
from runexp.runtime.streaming.stream import Stream

_IN_ORDER_ROWS = 1 << 16  # of a window whose rows are not mixed


@dataclass(frozen=True, slots=True)
class Mixing:
    """How well the rows of a phase are mixed: a window of `n_rows`, filled from `n_groups` groups of rows at once."""

    n_rows: int
    n_groups: int


class StreamBatcher:
    """Draws the rows of some columns of one stream, every row once an epoch.

    With `shuffle` groups of rows come in a new order each epoch, several side by side, and fill windows whose rows are
    permuted: a pure function of (seed, phase, epoch), so that batches from any one on can be drawn (S-07).
    """

    def __init__(self, columns: Sequence[StreamedColumn], plan: BatchPlan, seed: int, phase: str) -> None:
        self._columns = list(columns)
        self._stream = columns[0].stream
        self._split = columns[0].split
        self._options = self._stream.plan.stream or StreamPlan()
        self._plan = plan
        self._seed = (seed, "order", phase)
        self._keys = list(dict.fromkeys(column.key for column in columns))
        self._groups, self._counts = _inside(self._stream, self._split)
        total = sum(self._counts)
        self.n_rows = total // plan.size * plan.size if plan.drop_last else total
        self.n_batches = -(-self.n_rows // plan.size)
        wanted = self._options.buffer if plan.shuffle else min(self._options.buffer, _IN_ORDER_ROWS)
        self._window = max(1, wanted // plan.size) * plan.size
        self.mixing = Mixing(min(self._window, total), self._n_open())

    def sizes(self, epoch: int = 0) -> list[int]:
        """The rows of each batch of an epoch."""
        full, rest = divmod(self.n_rows, self._plan.size)
        return [self._plan.size] * full + ([rest] if rest else [])

    def places(self, epoch: int, batch: int) -> dict[str, Tensor]:
        """Nothing: where the rows of a stream come from is not kept."""
        return {}

    def draw(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, ...]]:
        """The batches of an epoch from number `start` on, one tensor a column.

        `SpecError` where a file is damaged, gone, or another than when the run began.
        """
        first, skipped = divmod(start * self._plan.size, self._window)
        windows = ahead(lambda: self._windows(epoch, first), self._options.prefetch)
        try:
            for number, window in enumerate(windows, start=first):
                stop = min(len(window[0]), self.n_rows - number * self._window)
                if skipped >= stop:
                    return
                cut = [column[skipped:stop].split(self._plan.size) for column in window]
                yield from zip(*cut, strict=True)
                skipped = 0
        finally:
            windows.close()

    def _windows(self, epoch: int, first: int) -> Iterator[list[Tensor]]:
        hands = dealt(self._order(epoch), self.mixing.n_groups)
        given = [0] * len(hands)
        cursors: list[_Cursor] = []
        counts = [sum(self._counts[group] for group in hand) for hand in hands]
        for number, taken in enumerate(takes(counts, self._window)):
            if number >= first:
                cursors = cursors or [self._cursor(*pair) for pair in zip(hands, given, strict=True)]
                yield self._mixed(_filled(cursors, taken), epoch, number)
            given = [before + part for before, part in zip(given, taken, strict=True)]

    def _order(self, epoch: int) -> list[int]:
        n_groups = len(self._groups)
        return order_of(n_groups, *self._seed, epoch).tolist() if self._plan.shuffle else list(range(n_groups))

    def _cursor(self, hand: Sequence[int], n_skipped: int) -> _Cursor:
        """Reads the groups of a hand from a row on; groups before it are not opened."""
        ends = list(accumulate(self._counts[group] for group in hand))
        n_before = sum(end <= n_skipped for end in ends)
        groups = [self._groups[group] for group in hand[n_before:]]
        cursor = _Cursor(self._stream.rows(self._split, self._keys, groups))
        for _ in cursor.take(n_skipped - (ends[n_before - 1] if n_before else 0)):
            pass
        return cursor

    def _mixed(self, window: list[Array], epoch: int, number: int) -> list[Tensor]:
        if self._plan.shuffle:
            generator = np.random.default_rng(derive_seed(*self._seed, epoch, number))
            order = generator.permutation(len(window[0]))
            window = [values.take(order, axis=0) for values in window]
        made = dict(zip(self._keys, map(torch.from_numpy, window), strict=True))
        return [column.finished(made[column.key]) for column in self._columns]

    def _n_open(self) -> int:
        if not self._plan.shuffle:
            return 1
        names = self._stream.columns_of(self._keys)
        largest = max(self._groups, key=lambda group: group.n_rows)
        return min(n_open(self._stream.files.bytes_of(largest, names), len(names)), len(self._groups))


class _Cursor:
    """Takes rows from arrays that come some rows at a time."""

    def __init__(self, source: Iterator[tuple[Array, ...]]) -> None:
        self._source = source
        self._rest: tuple[Array, ...] = ()

    def take(self, n_rows: int) -> Iterator[tuple[Array, ...]]:
        """The next so many rows, in pieces."""
        while n_rows:
            piece = self._rest or next(self._source)
            n_taken = min(n_rows, len(piece[0]))
            self._rest = tuple(values[n_taken:] for values in piece) if n_taken < len(piece[0]) else ()
            n_rows -= n_taken
            yield tuple(values[:n_taken] for values in piece)


def _filled(cursors: Sequence[_Cursor], taken: Sequence[int]) -> list[Array]:
    """One array a key, filled piece by piece, so that a window is held once."""
    window: list[Array] = []
    row = 0
    for cursor, n_rows in zip(cursors, taken, strict=True):
        for piece in cursor.take(n_rows):
            window = window or [np.empty((sum(taken), *values.shape[1:]), values.dtype) for values in piece]
            for whole, values in zip(window, piece, strict=True):
                whole[row : row + len(values)] = values
            row += len(piece[0])
    return window


def _inside(stream: Stream, split: str) -> tuple[list[RowGroup], list[int]]:
    """The groups that have rows of a split, and how many."""
    members = stream.splits[split]
    counted = [(group, members.count(group.start, group.start + group.n_rows)) for group in stream.files.groups]
    return [group for group, count in counted if count], [count for _, count in counted if count]
