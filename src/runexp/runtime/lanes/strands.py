"""Strands: batches of columns in the rows that a sampler draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from runexp.runtime.batching import Batcher
from runexp.runtime.graph.partial import PartialBatch
from runexp.runtime.lanes.column import Column
from runexp.runtime.sampling import Drawn, RowSampler


class StrandDraws(Protocol):
    """The batches of one strand. `live` of a batch counts its own columns."""

    def sizes(self, epoch: int = 0) -> list[int]:
        """The rows, pairs or triplets of each batch of an epoch."""
        ...

    def draw(self, epoch: int) -> Iterator[PartialBatch]:
        """The batches of an epoch."""
        ...

    def rows(self, epoch: int, batch: int) -> Tensor:
        """Where the rows of one batch stand in the lane."""
        ...


class DrawnColumn(NamedTuple):
    """A column and the role whose rows it is drawn in; no column: the weights that the sampler gives."""

    column: Column | None
    role: int


class PlainStrand:
    """Every row once an epoch."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher

    def sizes(self, epoch: int = 0) -> list[int]:
        """The rows of each batch."""
        return self._batcher.sizes(epoch)

    def draw(self, epoch: int) -> Iterator[PartialBatch]:
        """The batches of an epoch; none of their rows is masked."""
        return (PartialBatch(values, {}) for values in self._batcher.draw(epoch))

    def rows(self, epoch: int, batch: int) -> Tensor:
        """Where the rows of one batch stand in the lane."""
        return self._batcher.places(epoch, batch)[""]


class SampledStrand:
    """Rows as a sampler draws them, one batch of each role at a time."""

    def __init__(self, sampler: RowSampler, stream: str, columns: Sequence[DrawnColumn], device: torch.device) -> None:
        self._sampler = sampler
        self._stream = stream
        self._columns = columns
        self._device = device

    def sizes(self, epoch: int = 0) -> list[int]:
        """The rows, pairs or triplets of each batch."""
        return self._sampler.sizes(epoch, stream=self._stream)

    def draw(self, epoch: int) -> Iterator[PartialBatch]:
        """The batches of an epoch. What is masked in every role is left out."""
        return map(self._gather, self._sampler.draw(epoch, stream=self._stream))

    def rows(self, epoch: int, batch: int) -> Tensor:
        """Where the rows of one batch stand in the lane, those of every role."""
        return torch.cat(list(next(self._sampler.draw(epoch, start=batch, stream=self._stream)).rows))

    def _gather(self, drawn: Drawn) -> PartialBatch:
        rows, weights, is_masked = _trimmed(drawn)
        rows = [each.to(self._device) for each in rows]
        values = [
            weights.to(self._device) if item.column is None else _batch(item.column, rows[item.role], is_masked)
            for item in self._columns
        ]
        if not is_masked:
            return PartialBatch(values, {})
        live = [each >= 0 for each in rows]
        masks = {
            index: live[item.role]
            for index, item in enumerate(self._columns)
            if item.column is not None and not bool(live[item.role].all())
        }
        return PartialBatch(values, masks)


def _batch(column: Column, rows: Tensor, is_masked: bool) -> Tensor:
    return next(column.batches(rows, [len(rows)], masked=is_masked))


def _trimmed(drawn: Drawn) -> tuple[list[Tensor], Tensor, bool]:
    """Rows by role and weights without what is masked in every role; whether some row still is."""
    rows = list(drawn.rows)
    weights = drawn.weights if drawn.weights is not None else torch.ones(len(rows[0]))
    masked = torch.stack(rows) < 0
    if bool(masked.all(dim=0).any()):
        kept = ~masked.all(dim=0)
        rows, weights, masked = [each[kept] for each in rows], weights[kept], masked[:, kept]
    return rows, weights, bool(masked.any())
