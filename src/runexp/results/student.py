"""Student's t-distribution: its probabilities and quantiles, without a library of numbers."""

from __future__ import annotations

from functools import cache
from math import exp, inf, isfinite, lgamma, log, log1p

_TINY = 1e-300


def two_sided(t: float, freedom: int) -> float:
    """The probability of a value at least as far from 0 as `t`; 1 at 0, 0 at infinity."""
    if not isfinite(t):
        return 0.0 if t == t else t
    return _beta(freedom / 2, 0.5, freedom / (freedom + t * t))


@cache
def quantile(level: float, freedom: int) -> float:
    """How far from 0 the middle share `level` of all values reaches: 12.7062 for 0.95 and 1 degree of freedom."""
    low, high = 0.0, 1.0
    while two_sided(high, freedom) > 1 - level:
        high *= 2
        if high == inf:
            return inf
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided(middle, freedom) > 1 - level else (low, middle)
    return (low + high) / 2


def _beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function, by its continued fraction."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Lentz's method."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    whole = d
    for m in range(1, 300):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1 / _not_zero(1 + step * d), _not_zero(1 + step / c)
            whole *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return whole


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
