"""What a sampler is to those who draw from it: batches of row positions, known from (seed, phase, epoch) alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from runexp.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One batch. `rows`: one int64 tensor (size,) a role, positions within the split; -1 is a masked row.

    `weights`: (size,) float32, the weight of each row, pair or triplet; None where the sampler gives none.
    """

    rows: tuple[Tensor, ...]
    weights: Tensor | None


class RowSampler(Protocol):
    """Draws the rows of one split, every epoch anew (S-06, S-07).

    Streams are sequences of batches out of one drawing. Where they are equally many, the i-th batches belong together
    (support and query of one episode); pairs that match and pairs that do not are cut into batches each for itself.
    """

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of the rows drawn together, `("anchor", "positive", "negative")`; `("",)` where a row comes alone."""

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams of batches; `("",)` where there is one."""

    @property
    def n_rows(self) -> int:
        """Rows, pairs or triplets an epoch, over all streams."""

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Warnings about rows that can never be drawn."""

    def sizes(self, epoch: int = 0, *, stream: str = "") -> list[int]:
        """Units of each batch of an epoch, known without drawing; no stream: the first.

        There are equally many batches in every epoch. Only a `grouped` sampler draws batches of several sizes, which
        change places from one epoch to the next.
        """

    def draw(self, epoch: int, *, start: int = 0, stream: str = "") -> Iterator[Drawn]:
        """The batches of an epoch from the `start`-th on; no stream: the first."""
