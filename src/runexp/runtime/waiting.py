"""How long training waited for its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter

from torch import Tensor


class Waits:
    """Adds up the seconds between asking for a batch and having it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, batches: Iterator[Sequence[Tensor]]) -> Iterator[Sequence[Tensor]]:
        """The batches, each timed."""
        while True:
            begun = perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            finally:
                self.seconds += perf_counter() - begun
            yield batch
