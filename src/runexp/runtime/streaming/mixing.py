"""In which order the rows of a stream come: which groups of rows are read side by side, and how much of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from runexp.runtime.data.table import Array
from runexp.runtime.seeds import derive_seed

_OPEN_BYTES = 1 << 27
"""What groups of rows that are read side by side may take together: 128 MiB."""

_COLUMN_BYTES = 5 << 19  # decoding a column takes a page, its dictionary and a buffer
_CHUNK_BYTES = 1 << 21  # rows decoded, and made into arrays
_MOST_OPEN = 16


def n_open(group_bytes: int, n_columns: int) -> int:
    """How many groups of rows can be read side by side. The more, the better rows of a sorted source are mixed."""
    cost = min(2 * group_bytes, n_columns * _COLUMN_BYTES) + _CHUNK_BYTES  # a page is there packed and unpacked
    return min(max(_OPEN_BYTES // cost, 1), _MOST_OPEN)


def order_of(n_groups: int, *seed: object) -> Array:
    """A new order of the groups, a pure function of the seed."""
    return np.random.default_rng(derive_seed(*seed)).permutation(n_groups)


def dealt(order: Sequence[int], n_hands: int) -> list[list[int]]:
    """The groups as they are read side by side, each hand one after the other; no hand is empty."""
    return [list(order[hand::n_hands]) for hand in range(min(n_hands, len(order)))]


def takes(counts: Sequence[int], window: int) -> Iterator[list[int]]:
    """How many rows each hand gives to each window of so many rows, in proportion to what it has left.

    Every window is full but the last.
    """
    left = list(counts)
    while (total := sum(left)) > 0:
        size = min(window, total)
        quotas = [divmod(count * size, total) for count in left]
        taken = [whole for whole, _ in quotas]
        by_rest = sorted(range(len(left)), key=lambda hand: -quotas[hand][1])
        for hand in by_rest[: size - sum(taken)]:
            taken[hand] += 1
        yield taken
        left = [count - part for count, part in zip(left, taken, strict=True)]
