"""A feature set in short: a line a key, and a table of them to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from runexp.plan.data import Domain
from runexp.runtime.data.gathering import Gathered
from runexp.runtime.data.table import Array

_MOST_CATEGORIES = 20
_MOST_SHOWN = 5
_HEADER = ("key", "domain", "shape", "dtype", "values", "missing", "transforms")


class SummaryRow(NamedTuple):
    """One key in short, as it was read; `min`, `max` and `mean` are None where it holds no numbers.

    `categories` are its values with their counts, most frequent first, where a row has one whole number or text,
    some come again and there are at most 20 of them; `n_distinct` counts them in any case.
    """

    key: str
    domain: Domain
    shape: tuple[int, ...]
    dtype: str
    min: float | None
    max: float | None
    mean: float | None
    n_missing: int
    categories: tuple[tuple[str, int], ...] = ()
    n_distinct: int | None = None
    transforms: tuple[str, ...] = ()

    @property
    def values(self) -> str:
        """The range of numbers, or the categories with their counts."""
        if self.categories:
            shown = ", ".join(f"{name} {count}" for name, count in self.categories[:_MOST_SHOWN])
            more = len(self.categories) - _MOST_SHOWN
            return f"{shown}, {more} more" if more > 0 else shown
        if self.min is not None and self.max is not None:
            return f"{self.min:.4g} … {self.max:.4g}"
        return f"{self.n_distinct} different" if self.n_distinct is not None else ""


@dataclass(frozen=True, slots=True)
class Summary:
    """The name of a feature set, how many rows it has and each split, and its keys; printed, a table."""

    name: str
    n_rows: int
    splits: Mapping[str, int]
    rows: tuple[SummaryRow, ...]

    def __iter__(self) -> Iterator[SummaryRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> SummaryRow:
        return self.rows[index]

    def __str__(self) -> str:
        splits = ", ".join(f"{name} {count}" for name, count in self.splits.items())
        head = f"{self.name}: {self.n_rows} rows" + (f" ({splits})" if splits else "")
        cells = [_HEADER, *(_cells(row) for row in self.rows)]
        widths = [max(len(row[index]) for row in cells) for index in range(len(_HEADER))]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
        return "\n".join([head, *(line.rstrip() for line in lines)])

    __repr__ = __str__


def summarize(gathered: Gathered, transforms: Sequence[str]) -> SummaryRow:
    """A key in short."""
    key, raw = gathered.key, gathered.raw
    numbers: tuple[float | None, float | None, float | None] = (None, None, None)
    known = gathered.exact if key.gaps == "zero" else raw  # where what is missing is not 0 yet
    if known.dtype.kind in "biuf" and not np.isnan(known).all():
        numbers = (float(np.nanmin(known)), float(np.nanmax(known)), float(np.nanmean(known, dtype=np.float64)))
    n_distinct, categories = _categories(gathered)
    return SummaryRow(
        key.name,
        key.domain,
        raw.shape[1:],
        raw.dtype.name,
        *numbers,
        gathered.n_missing,
        categories,
        n_distinct,
        tuple(transforms),
    )


def _categories(gathered: Gathered) -> tuple[int | None, tuple[tuple[str, int], ...]]:
    """How many different values there are, and each with its count where they are few."""
    raw = gathered.raw
    if raw.dtype.kind not in "biuU" or raw.size != len(raw) or not len(raw):
        return None, ()
    present = raw[raw != ""] if raw.dtype.kind == "U" else raw
    values, counts = np.unique(present, return_counts=True)
    if len(values) > _MOST_CATEGORIES or len(values) == len(present) > 1:
        return len(values), ()
    names = [gathered.classes[value] for value in values] if gathered.classes else _names(values)
    order = np.argsort(-counts, kind="stable")
    return len(values), tuple((names[index], int(counts[index])) for index in order)


def _names(values: Array) -> list[str]:
    return [str(value) for value in values.tolist()]


def _cells(row: SummaryRow) -> tuple[str, ...]:
    shape = " x ".join(map(str, row.shape))
    dtype = "text" if row.dtype.startswith("str") else row.dtype
    return (row.key, row.domain, shape, dtype, row.values, str(row.n_missing or ""), ", ".join(row.transforms))
