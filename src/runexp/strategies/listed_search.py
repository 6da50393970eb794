"""Trials that are listed beforehand and judged by nothing: repeats with other seeds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from runexp.results.trials import Importance
from runexp.strategies.sweep_search import Asked, Remembered, Verdict
from runexp.strategies.sweep_space import Point


class ListedSearch:
    """Each point once, in order. Nothing is remembered: a trial that has ended is found in its folder."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._waiting = list(enumerate(points))
        self.n_trials = len(points)

    def ask(self) -> Asked | None:
        """The next trial, or None where none is left to begin."""
        return Asked(*self._waiting.pop(0)) if self._waiting else None

    def should_stop(self, number: int, step: int, value: float) -> bool:
        """Never."""
        return False

    def tell(self, number: int, verdict: Verdict, values: Sequence[float] = (), error: str = "") -> None:
        """Nothing follows from how a trial ended."""

    def remembered(self) -> Iterator[Remembered]:
        """Nothing."""
        yield from ()

    def importance(self) -> Importance | None:
        """What is drawn anew in each has no importance."""
        return None


def repeated_seeds(seed: int, n: int) -> list[int]:
    """The spec's own seed, and those derived from it: the first ones stay what they are when there are more."""
    derived = (hashlib.sha256(f"replicate {seed} {number}".encode()).digest()[:4] for number in range(1, n))
    return [seed, *(int.from_bytes(digest, "big") for digest in derived)]
