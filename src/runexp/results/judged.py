"""What was said of rows beside what was true: classes counted against classes, numbers against numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often each true class was taken for each class; `counts[true][said]`, in the order of `labels`."""

    node: str
    rows: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def n_rows(self) -> int:
        """The rows that were judged."""
        return sum(map(sum, self.counts))

    @property
    def accuracy(self) -> float:
        """The share of rows that were taken for what they are."""
        right = sum(self.counts[index][index] for index in range(len(self.labels)))
        return right / self.n_rows if self.n_rows else 0.0

    def recall(self, index: int) -> float | None:
        """The share of the rows of a class that were found; None where it has none."""
        there = sum(self.counts[index])
        return self.counts[index][index] / there if there else None

    def precision(self, index: int) -> float | None:
        """The share that is right of the rows taken for a class; None where none were."""
        said = sum(row[index] for row in self.counts)
        return self.counts[index][index] / said if said else None

    def mistakes(self, most: int) -> list[tuple[str, str, int]]:
        """The pairs of classes most often confused: true, said, how often."""
        pairs = [
            (self.labels[true], self.labels[said], count)
            for true, row in enumerate(self.counts)
            for said, count in enumerate(row)
            if true != said and count
        ]
        return sorted(pairs, key=lambda pair: -pair[2])[:most]


@dataclass(frozen=True, slots=True)
class Residuals:
    """Numbers that were said and that were true. `points` are some rows, (true, said), evenly taken.

    `edges` and `counts` are a histogram of said minus true; the sums are over all rows.
    """

    node: str
    rows: str
    n_rows: int
    points: tuple[tuple[float, float], ...]
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    bias: float
    mean_absolute: float
    mean_squared: float
    variance: float

    @property
    def numbers(self) -> Mapping[str, float]:
        """Bias, mean absolute and root mean squared error, and the share of variance explained."""
        found = {"mean error": self.bias, "mean absolute error": self.mean_absolute}
        found["root mean squared error"] = sqrt(self.mean_squared)
        return found | ({"R²": 1 - self.mean_squared / self.variance} if self.variance else {})


Judged = Confusion | Residuals
