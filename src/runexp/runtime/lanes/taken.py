"""Some rows of a column, in an order of their own, repeats allowed: the anchors of all pairs of a split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from runexp.runtime.lanes.column import Column, Rows

_PART_ROWS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """Rows of another column; `rows`, int64 (N,), are positions in it."""

    source: Column
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def dtype(self) -> torch.dtype:
        """The type of its values."""
        return self.source.dtype

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return self.source.row_shape

    def first(self, n: int) -> Tensor:
        """The first `n` rows."""
        return self._batch(self.rows[:n])

    def whole(self) -> Tensor:
        """All rows."""
        return self._batch(self.rows)

    def parts(self) -> Iterator[Tensor]:
        """All rows, some thousand at a time."""
        return map(self._batch, self.rows.split(_PART_ROWS))

    def batches(self, rows: Rows, sizes: Sequence[int], *, masked: bool = False) -> Iterator[Tensor]:
        """The batches of some of its rows."""
        if isinstance(rows, range):
            return self.source.batches(self.rows[rows.start : rows.stop], sizes)
        chosen = self.rows[rows.clamp_min(0)] if masked else self.rows[rows]
        return self.source.batches(chosen.where(rows >= 0, -1) if masked else chosen, sizes, masked=masked)

    def changed(self, change: Callable[[Tensor], Tensor]) -> Taken:
        """The same rows, changed as they are drawn."""
        return Taken(self.source.changed(change), self.rows)

    def _batch(self, rows: Tensor) -> Tensor:
        return next(self.source.batches(rows, [len(rows)]))
