"""Columns of a lane: drawn batch by batch, held as a whole only where somebody asks for the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

Rows = Tensor | range
"""Which rows of a column: int64 (n,), or a range of neighbours, which costs no gather. -1 is a masked row."""

_PART_BYTES = 1 << 24
"""Held at once by who looks at every row of a column: 16 MiB."""


class Column(Protocol):
    """One value a row, (N, *row_shape), in the order of a lane's rows. Row -1 gives zeros (S-04).

    A column whose batches are not slices of its rows (the block of a matrix between them) is free in `row_shape`.
    """

    def __len__(self) -> int: ...

    @property
    def dtype(self) -> torch.dtype:
        """The type of its values."""
        ...

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        ...

    def first(self, n: int) -> Tensor:
        """A batch of the first `n` rows, or of all where there are fewer."""
        ...

    def whole(self) -> Tensor:
        """All rows at once: for fitting estimators, and for losses and metrics over a split."""
        ...

    def parts(self) -> Iterator[Tensor]:
        """All rows, some at a time: for checks of every value."""
        ...

    def batches(self, rows: Rows, sizes: Sequence[int], *, masked: bool = False) -> Iterator[Tensor]:
        """The batches of some rows, `sizes` one after the other; `masked` says that -1 may be among the rows."""
        ...

    def changed(self, change: Callable[[Tensor], Tensor]) -> Column:
        """The same rows, changed as they are drawn: a cast, or another shape of the rows."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Rows of a tensor, which may itself be a strided view (`unfold`): batches are gathered from it, it is not copied.

    `positions`, int64 (N,) on the tensor's device, says which of its rows are the column's; None: all of them.
    """

    source: Tensor
    positions: Tensor | None = None
    change: Callable[[Tensor], Tensor] | None = None
    """Applied to every batch: a cast, or another shape of the rows."""

    def __len__(self) -> int:
        return len(self.source if self.positions is None else self.positions)

    @property
    def dtype(self) -> torch.dtype:
        """The type of its values."""
        return self.first(1).dtype

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return tuple(self.first(1).shape[1:])

    def first(self, n: int) -> Tensor:
        """The first `n` rows."""
        return self._changed(self._slice(range(min(n, len(self)))))

    def whole(self) -> Tensor:
        """All rows; without `positions` no copy is made."""
        return self._changed(self._slice(range(len(self))))

    def parts(self) -> Iterator[Tensor]:
        """All rows, 16 MiB at a time."""
        step = max(1, _PART_BYTES // max(1, _row_bytes(self.source)))
        for start in range(0, len(self), step):
            yield self._changed(self._slice(range(start, min(start + step, len(self)))))

    def batches(self, rows: Rows, sizes: Sequence[int], *, masked: bool = False) -> Iterator[Tensor]:
        """One gather for all of these batches; none where the rows are neighbours of the source."""
        if isinstance(rows, range):
            return iter(self._changed(self._slice(rows)).split(list(sizes)))
        at = rows.clamp_min(0) if masked else rows
        at = at if self.positions is None else self.positions.index_select(0, at)
        block = self._changed(self.source.index_select(0, at))
        return iter((zero_masked(block, rows) if masked else block).split(list(sizes)))

    def changed(self, change: Callable[[Tensor], Tensor]) -> Held:
        """The same rows, changed once more as they are drawn; rows that are all held anyway are changed now."""
        if self.positions is None and self.source.is_contiguous():
            return Held(change(self.whole()))
        before = self.change
        return replace(self, change=change if before is None else lambda batch: change(before(batch)))

    def gathered(self) -> Held:
        """The same column with its rows gathered now: batches of small tables are faster so."""
        return Held(self.whole())

    def _slice(self, rows: range) -> Tensor:
        if self.positions is None:
            return self.source[rows.start : rows.stop]
        return self.source.index_select(0, self.positions[rows.start : rows.stop])

    def _changed(self, batch: Tensor) -> Tensor:
        return batch if self.change is None else self.change(batch)


def zero_masked(values: Tensor, rows: Tensor) -> Tensor:
    """Zeros where a row is masked (-1), also where the row that stands in for it is not finite."""
    is_masked = (rows < 0).reshape(-1, *[1] * (values.ndim - 1))
    return values.masked_fill(is_masked, 0)


def _row_bytes(source: Tensor) -> int:
    return source[:1].numel() * source.element_size()
