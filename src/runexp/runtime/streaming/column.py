"""One key of a stream as a column: its first rows are known, the others come by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from runexp.plan.data import StreamPlan
from runexp.plan.values import Origin
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.table import Array
from runexp.runtime.lanes.column import Rows
from runexp.runtime.streaming.stream import Stream

HELD_BYTES = 1 << 30
"""What of a stream is held at once for a loss or metric over a whole split: 1 GiB."""


@dataclass(frozen=True, slots=True, eq=False)
class StreamedRows:
    """A stream as what stands behind a feature set."""

    stream: Stream

    @property
    def n_rows(self) -> int:
        """How many rows the source has."""
        return self.stream.n_rows

    @property
    def counts(self) -> Mapping[str, int]:
        """The rows of each split."""
        return {name: members.n_rows for name, members in self.stream.splits.items()}

    @property
    def remark(self) -> str:
        """How the rows are read, for a person."""
        files, plan = self.stream.files, self.stream.plan.stream or StreamPlan()
        ahead = f"{plan.prefetch} windows read ahead" if plan.prefetch else "read when they are needed"
        n_files = len(files.parts)
        groups = f"{len(files.groups):,} groups of rows in {n_files:,} file{'s' * (n_files > 1)}"
        return f"{groups}, mixed in windows of up to {plan.buffer:,} rows, {ahead}"

    def column(self, key: str, split: str, head: Tensor, origin: Origin) -> StreamedColumn:
        """A key as far as a split goes."""
        return StreamedColumn(self.stream, split, key, head, origin)

    def memberships(self) -> Iterator[tuple[Array, Array, Mapping[str, Array]]]:
        """Numbers, ids and splits of some rows at a time; ids are the tag `id` where there is one."""
        yield from self.stream.memberships()

    def described(self, split: str, keys: Sequence[str]) -> Iterator[tuple[Array, Array, list[Array]]]:
        """Numbers, ids and keys as they were read, of some rows of a split at a time."""
        yield from self.stream.described(split, keys)


@dataclass(frozen=True, slots=True, eq=False)
class StreamedColumn:
    """A key of a stream, as far as one split goes. `head` are first rows of the source, for shapes and types."""

    stream: Stream
    split: str
    key: str
    head: Tensor
    origin: Origin
    change: Callable[[Tensor], Tensor] | None = None

    def __len__(self) -> int:
        return self.stream.splits[self.split].n_rows

    @property
    def dtype(self) -> torch.dtype:
        """The type of its values."""
        return self.first(1).dtype

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return tuple(self.first(1).shape[1:])

    def first(self, n: int) -> Tensor:
        """Some rows of the source, which may be of another split: nothing is learned from them."""
        return self.finished(self.head[: min(n, len(self))])

    def whole(self) -> Tensor:
        """All rows of the split; `SpecError` where they take more than 1 GiB."""
        n_bytes = self.first(1).nbytes * len(self)
        if n_bytes > HELD_BYTES:
            what = f"all of {shown(self.key)} in {shown(self.split)} takes {n_bytes / 2**30:.1f} GiB"
            hint = "of a stream at most 1 GiB is held: a smaller split, or a loss that is a mean over rows"
            raise wrong(self.origin, "too-large", what, hint=hint)
        return torch.cat(list(self.parts()))

    def parts(self) -> Iterator[Tensor]:
        """All rows of the split, some at a time, in the order of the source."""
        for (values,) in self.stream.rows(self.split, [self.key]):
            yield self.finished(torch.from_numpy(values))

    def batches(self, rows: Rows, sizes: Sequence[int], *, masked: bool = False) -> Iterator[Tensor]:
        """Neighbouring rows; others come in the order of the stream, all columns at once, or not at all."""
        if not isinstance(rows, range):
            raise TypeError("the rows of a stream come in its own order")
        return iter(self.whole()[rows.start : rows.stop].split(list(sizes)))

    def changed(self, change: Callable[[Tensor], Tensor]) -> StreamedColumn:
        """The same rows, changed as they are drawn."""
        before = self.change
        return replace(self, change=change if before is None else lambda batch: change(before(batch)))

    def finished(self, values: Tensor) -> Tensor:
        """Rows of the key as they are drawn: on the device, and changed."""
        on_device = values.to(self.head.device)
        return on_device if self.change is None else self.change(on_device)
