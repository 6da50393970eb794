"""What stands behind a feature set that is not held: rows that are read as they are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from torch import Tensor

from runexp.plan.values import Origin
from runexp.runtime.data.table import Array
from runexp.runtime.lanes.column import Column


class RowStream(Protocol):
    """Rows of a source that may be larger than memory."""

    @property
    def n_rows(self) -> int:
        """How many rows the source has."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """The rows of each split."""
        ...

    @property
    def remark(self) -> str:
        """How the rows are read, for a person."""
        ...

    def column(self, key: str, split: str, head: Tensor, origin: Origin) -> Column:
        """A key as far as a split goes; `head` are some rows on its device, `origin` who asks."""
        ...

    def memberships(self) -> Iterator[tuple[Array, Array, Mapping[str, Array]]]:
        """Some rows at a time, in order: their numbers, their ids, and which of them (positions) are in each split."""
        ...

    def described(self, split: str, keys: Sequence[str]) -> Iterator[tuple[Array, Array, list[Array]]]:
        """The rows of a split, some at a time, in order: their numbers, their ids, and keys as they were read."""
        ...
