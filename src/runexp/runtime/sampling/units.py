"""What the kinds of samplers have in common: an epoch's units, cut into batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from numpy.random import Generator

from runexp.runtime.data.table import Array


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What one stream draws in an epoch, batch after batch: (n,) int64 rows a role, and weights (n,) or None."""

    rows: tuple[Array, ...]
    weights: Array | None = None


class Scheme(Protocol):
    """How an epoch is drawn; all it may depend on is the generator it is given."""

    def sizes(self, generator: Generator) -> tuple[list[int], ...]:
        """The sizes of the batches of each stream, of an epoch drawn with an equal generator."""

    def epoch(self, generator: Generator) -> tuple[Units, ...]:
        """The units of each stream; those beyond the batches are left out."""


def cut(n_units: int, size: int, *, drop_last: bool) -> list[int]:
    """The sizes of batches of so many units: full ones, then one that is not, unless it is dropped."""
    full, rest = divmod(n_units, size)
    return [size] * full + ([rest] if rest and not drop_last else [])
