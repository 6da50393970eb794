"""How long training took, and how much of that it waited for its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter

from torch import Tensor


class Pace:
    """Adds up seconds: of drawing batches and working them off, and of the drawing alone. Evaluations do not count."""

    def __init__(self) -> None:
        self.trained_s = 0.0
        self.waited_s = 0.0

    def timed(self, batches: Iterator[Sequence[Tensor]]) -> Iterator[Sequence[Tensor]]:
        """The batches of an epoch; it ends when its iterator does, or is let go of."""
        begun = asked = perf_counter()
        try:
            for batch in batches:
                self.waited_s += perf_counter() - asked
                yield batch
                asked = perf_counter()
        finally:
            self.trained_s += perf_counter() - begun

    def read(self) -> tuple[float, float]:
        """Seconds trained and seconds waited so far."""
        return self.trained_s, self.waited_s
