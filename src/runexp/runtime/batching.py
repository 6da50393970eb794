"""Batches from columns in memory: an epoch is one permutation, a batch is a slice of a gathered block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from runexp.plan.phases import BatchPlan
from runexp.runtime.seeds import derive_seed

_BLOCK_BYTES = 1 << 18
"""Gathered at once: small batches share one gather, and a block still fits the processor's cache."""


class Batcher:
    """Draws the rows of some columns, every row once an epoch, in an order known from (seed, phase, epoch) (S-07)."""

    def __init__(self, columns: Sequence[Tensor], plan: BatchPlan, seed: int, phase: str) -> None:
        self._columns = list(columns)
        self._plan = plan
        self._seed = seed
        self._phase = phase
        n_rows = len(self._columns[0])
        self.n_rows = n_rows // plan.size * plan.size if plan.drop_last else n_rows
        self.n_batches = -(-self.n_rows // plan.size)

    def sizes(self) -> list[int]:
        """The rows of each batch of an epoch."""
        full, rest = divmod(self.n_rows, self._plan.size)
        return [self._plan.size] * full + ([rest] if rest else [])

    def draw(self, epoch: int) -> Iterator[tuple[Tensor, ...]]:
        """The batches of an epoch, one tensor a column."""
        if not self._plan.shuffle:
            yield from zip(*[column[: self.n_rows].split(self._plan.size) for column in self._columns], strict=True)
            return
        order = self._order(epoch)
        for rows in order.split(self._block_rows()):
            blocks = [column.index_select(0, rows).split(self._plan.size) for column in self._columns]
            yield from zip(*blocks, strict=True)

    def _order(self, epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(derive_seed(self._seed, "order", self._phase, epoch))
        order = torch.randperm(len(self._columns[0]), generator=generator)[: self.n_rows]
        return order.to(self._columns[0].device)

    def _block_rows(self) -> int:
        row_bytes = sum(column[:1].nbytes for column in self._columns)
        batches = max(1, _BLOCK_BYTES // max(1, row_bytes * self._plan.size))
        return batches * self._plan.size
