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


def divide_ordered(order: Array, shares: Sequence[float], gap: int = 0) -> list[Array]:
    """Rows cut along an order; `gap` rows between one part and the next are in none."""
    n_gaps = max(0, sum(share > 0 for share in shares) - 1)
    counts = counts_of(max(0, len(order) - gap * n_gaps), shares)
    parts, start = [], 0
    for count, share in zip(counts, shares, strict=True):
        parts.append(np.sort(order[start : start + count]))
        start += int(count) + (gap if share else 0)
    return parts


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
    order = _large_to_small(sizes, generator)
    for position, group in enumerate(order):
        must_fill = len(order) - position <= np.count_nonzero(is_empty)
        part = _part_for(sizes[group], np.where(is_empty, wanted, 0) if must_fill else wanted, generator)
        owner[group] = part
        wanted[part] -= sizes[group]
        is_empty[part] = False
    return [np.flatnonzero(owner[codes] == part) for part in range(len(wanted))]


def divide_stratified_grouped(
    codes: Array, groups: Array, shares: Sequence[float], generator: np.random.Generator
) -> list[Array]:
    """Groups stay whole, and each part gets about its share of every class: large groups first, each goes to the part
    where its classes are furthest from full.

    Greedy, as scikit-learn's StratifiedGroupKFold is: no promise beyond that can be kept while groups stay whole.
    """
    held = np.zeros((groups.max() + 1, codes.max() + 1))
    np.add.at(held, (groups, codes), 1)
    wanted = np.outer(shares, held.sum(axis=0))
    filled = np.zeros_like(wanted)
    owner = np.empty(len(held), dtype=np.int64)
    is_open = np.asarray(shares) > 0
    is_empty = is_open.copy()
    for position, group in enumerate(_large_to_small(held.sum(axis=1), generator)):
        must_fill = len(held) - position <= np.count_nonzero(is_empty)
        rows = held[group]
        # Of the squares of what each part is over or under its share of a class, relative to that share, the increase.
        with np.errstate(divide="ignore", invalid="ignore"):
            cost = np.nansum(rows * (2 * filled + rows) / wanted, axis=1)
        cost = np.where(is_empty if must_fill else is_open, cost, np.inf)
        part = int(generator.choice(np.flatnonzero(cost <= cost.min() + _EPSILON)))
        owner[group] = part
        filled[part] += rows
        is_empty[part] = False
    return [np.flatnonzero(owner[groups] == part) for part in range(len(wanted))]


def _large_to_small(sizes: Array, generator: np.random.Generator) -> Array:
    """Groups by powers of two only: those of about one size come in an order that depends on the seed."""
    shuffled = generator.permutation(len(sizes))
    order: Array = shuffled[np.argsort(-np.floor(np.log2(sizes[shuffled])), kind="stable")]
    return order


def _part_for(size: int, wanted: Array, generator: np.random.Generator) -> int:
    chances = np.where(2 * wanted >= size, wanted, 0)
    if chances.sum() <= 0:
        return int(np.argmax(wanted))
    return int(generator.choice(len(wanted), p=chances / chances.sum()))


def _cut(rows: Array, counts: Array) -> list[Array]:
    """Consecutive pieces, each back in the order of the source."""
    return [np.sort(piece) for piece in np.split(rows, np.cumsum(counts)[:-1])]
