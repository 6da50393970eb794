"""Two cross-validations on the same folds: what they differ by, and how likely folds alone would give that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt

from runexp.results.student import quantile, two_sided

LEVEL = 0.95


class NotComparable(ValueError):  # noqa: N818 - it reads as what was found
    """Two cross-validations cannot be compared fold by fold; the message says why."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A number of one cross-validation minus that of another on the same folds: the corrected resampled t-test.

    The mean difference over `n` folds, its 95 % interval, t, and the two-sided probability of one as far from 0 if
    there is none. The folds learn from much the same rows: the variance of the differences is multiplied by 1/n plus
    held-out rows over training rows instead of 1/n (Nadeau and Bengio, Inference for the Generalization Error, Machine
    Learning 52, 2003). It makes no allowance for how many numbers, or models, are compared.
    """

    n: int
    difference: float
    t: float
    p: float
    low: float
    high: float


def paired(differences: Sequence[float], widening: float) -> Comparison:
    """The comparison of paired differences; `widening` is what their variance is multiplied by for that of the mean.

    `NotComparable` for fewer than two, or for one that is not finite.
    """
    n = len(differences)
    if n < 2:
        raise NotComparable(f"it takes two folds or more, and {'one has' if n else 'none has'} the number in both")
    if not all(map(isfinite, differences)):
        raise NotComparable("the number is not finite in a fold")
    mean = mean_of(differences)
    error = deviation_of(differences) * sqrt(widening)
    t = mean / error if error else (inf if mean > 0 else -inf if mean else 0.0)
    reach = quantile(LEVEL, n - 1) * error
    return Comparison(n, mean, t, two_sided(t, n - 1), mean - reach, mean + reach)


def mean_of(values: Sequence[float]) -> float:
    """The mean of one value or more."""
    return sum(values) / len(values)


def deviation_of(values: Sequence[float]) -> float:
    """The standard deviation of a sample of two values or more."""
    mean = mean_of(values)
    return sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
