"""Dividing rows by shares: plain, stratified, grouped, ordered. Pure functions of numbers and a generator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runexp.runtime.data.table import Array

_EPSILON = 1e-9  # 0.7 * 10 is 7.000000000000001 or 6.999999999999999: both mean 7


def counts_of(n_rows: int, shares: Sequence[float]) -> Array:
    """Whole numbers that add up to `n_rows`, by largest remainder; ties go to the earlier share."""
    quotas = np.asarray(shares) * n_rows
    counts = np.floor(quotas + _EPSILON).astype(np.int64)
    order = np.argsort(counts - quotas, kind="stable")
    counts[order[: n_rows - counts.sum()]] += 1
    return counts


def divide_plain(n_rows: int, shares: Sequence[float], generator: np.random.Generator) -> list[Array]:
    """Shuffled rows, cut."""
    return _cut(generator.permutation(n_rows), counts_of(n_rows, shares))


def divide_ordered(order: Array, shares: Sequence[float]) -> list[Array]:
    """Rows cut along an order."""
    return _cut(order, counts_of(len(order), shares))


def divide_stratified(codes: Array, shares: Sequence[float], generator: np.random.Generator) -> list[Array]:
    """In every class each part gets its quota rounded up or down; so that the sizes come right as well."""
    fractions = np.asarray(shares)
    lag = np.zeros(len(fractions))  # rows that each part is short of, over the classes done
    parts: list[list[Array]] = [[] for _ in shares]
    for code in generator.permutation(codes.max() + 1):
        rows = generator.permutation(np.flatnonzero(codes == code))
        quotas = fractions * len(rows)
        counts = np.floor(quotas + _EPSILON).astype(np.int64)
        lag += quotas - counts
        can_round_up = quotas - counts > _EPSILON
        order = np.argsort(np.where(can_round_up, -lag, np.inf), kind="stable")
        chosen = order[: len(rows) - counts.sum()]
        counts[chosen] += 1
        lag[chosen] -= 1
        for part, piece in zip(parts, _cut(rows, counts), strict=True):
            part.append(piece)
    return [np.sort(np.concatenate(part)) for part in parts]


def divide_grouped(codes: Array, shares: Sequence[float], generator: np.random.Generator) -> list[Array]:
    """Groups stay whole: large to small, each goes to a part it still fits, drawn by what the parts lack.

    No part exceeds its quota by more than the largest group.
    """
    sizes = np.bincount(codes)
    wanted = np.asarray(shares, dtype=float) * len(codes)
    owner = np.empty(len(sizes), dtype=np.int64)
    is_empty = wanted > 0
    shuffled = generator.permutation(len(sizes))
    # By powers of two only: groups of about one size come in an order that depends on the seed.
    order = shuffled[np.argsort(-np.floor(np.log2(sizes[shuffled])), kind="stable")]
    for position, group in enumerate(order):
        must_fill = len(order) - position <= np.count_nonzero(is_empty)
        part = _part_for(sizes[group], np.where(is_empty, wanted, 0) if must_fill else wanted, generator)
        owner[group] = part
        wanted[part] -= sizes[group]
        is_empty[part] = False
    return [np.flatnonzero(owner[codes] == part) for part in range(len(wanted))]


def _part_for(size: int, wanted: Array, generator: np.random.Generator) -> int:
    chances = np.where(2 * wanted >= size, wanted, 0)
    if chances.sum() <= 0:
        return int(np.argmax(wanted))
    return int(generator.choice(len(wanted), p=chances / chances.sum()))


def _cut(rows: Array, counts: Array) -> list[Array]:
    """Consecutive pieces, each back in the order of the source."""
    return [np.sort(piece) for piece in np.split(rows, np.cumsum(counts)[:-1])]
