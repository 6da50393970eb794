"""Batches from columns in memory: an epoch is one permutation, a batch is a slice of a gathered block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from runexp.plan.lanes import BatchPlan
from runexp.runtime.lanes.column import Column, Rows
from runexp.runtime.seeds import derive_seed
from runexp.runtime.streaming.column import StreamedColumn
from runexp.runtime.streaming.drawing import StreamBatcher

_BLOCK_BYTES = 1 << 18
"""Gathered at once: small batches share one gather, and a block still fits the processor's cache."""


def batcher_of(columns: Sequence[Column], plan: BatchPlan, seed: int, phase: str) -> Batcher | StreamBatcher:
    """Who draws the batches of some columns: rows that are held by their numbers, those of a stream as they come."""
    streamed = [column for column in columns if isinstance(column, StreamedColumn)]
    return StreamBatcher(streamed, plan, seed, phase) if streamed else Batcher(columns, plan, seed, phase)


class Batcher:
    """Draws the rows of some columns, every row once an epoch, in an order known from (seed, phase, epoch) (S-07)."""

    def __init__(self, columns: Sequence[Column], plan: BatchPlan, seed: int, phase: str) -> None:
        self._columns = list(columns)
        self._plan = plan
        self._seed = seed
        self._phase = phase
        self._n_held = len(self._columns[0])
        self.n_rows = self._n_held // plan.size * plan.size if plan.drop_last else self._n_held
        self.n_batches = -(-self.n_rows // plan.size)
        first = [column.first(1) for column in self._columns]
        self._device = first[0].device
        row_bytes = max(1, sum(value.nbytes for value in first))
        self._block_rows = max(1, _BLOCK_BYTES // (row_bytes * plan.size)) * plan.size

    def sizes(self, epoch: int = 0) -> list[int]:
        """The rows of each batch of an epoch, which are the same in all."""
        return self._sizes(self.n_rows)

    def draw(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, ...]]:
        """The batches of an epoch from the `start`-th on, one tensor a column."""
        for rows in self._blocks(epoch, start * self._plan.size):
            sizes = self._sizes(len(rows))
            yield from zip(*[column.batches(rows, sizes) for column in self._columns], strict=True)

    def blocks(self, epoch: int) -> Iterator[tuple[Tensor, ...]]:
        """The rows of an epoch in their order, as many batches at a time as are gathered at once."""
        for rows in self._blocks(epoch, 0):
            yield tuple(next(iter(column.batches(rows, [len(rows)]))) for column in self._columns)

    def places(self, epoch: int, batch: int) -> dict[str, Tensor]:
        """Where the rows of one batch stand among those of the split; under no name, as there is one lane."""
        first = batch * self._plan.size
        last = min(first + self._plan.size, self.n_rows)
        if not self._plan.shuffle:
            return {"": torch.arange(first, last)}
        return {"": self._order(epoch)[first:last]}

    def _blocks(self, epoch: int, first: int) -> Iterator[Rows]:
        if first >= self.n_rows:
            return
        if not self._plan.shuffle:
            starts = range(first, self.n_rows, self._block_rows)
            yield from (range(start, min(start + self._block_rows, self.n_rows)) for start in starts)
            return
        yield from self._order(epoch)[first : self.n_rows].to(self._device).split(self._block_rows)

    def _order(self, epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(derive_seed(self._seed, "order", self._phase, epoch))
        return torch.randperm(self._n_held, generator=generator)

    def _sizes(self, n_rows: int) -> list[int]:
        full, rest = divmod(n_rows, self._plan.size)
        return [self._plan.size] * full + ([rest] if rest else [])
