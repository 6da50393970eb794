"""Some rows of a split that stand for all: spread over it, with at least one of every class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from runexp.runtime.data.feature_set import FeatureSet
from runexp.runtime.data.table import Array

_MANY_ROWS = 1000
_MOST_CLASSES = 200
_MOST_LOOKED_AT = 100_000


def few_rows(
    sets: Mapping[str, FeatureSet],
    split: str,
    used: Sequence[str],
    most: int,
    *,
    many: int = _MANY_ROWS,
    is_quick: bool = False,
) -> dict[str, FeatureSet]:
    """The sets with at most `most` rows in a split, and those of each class; with all where there are not `many`.

    `is_quick` looks for classes in some rows only: one that is rare may be left out.
    """
    known = {name: sets[name].splits[split] for name in used}
    n_rows = min((len(rows) for rows in known.values()), default=0)
    if n_rows <= max(most, many):
        return dict(sets)
    chosen = {int(position) for position in np.linspace(0, n_rows - 1, most)}
    for name, rows in known.items():
        step = max(1, n_rows // _MOST_LOOKED_AT) if is_quick else 1
        chosen |= {step * position for position in _one_of_each(sets[name], rows[:n_rows:step])}
    positions = np.asarray(sorted(chosen))
    return {**sets, **{name: replace(sets[name], splits={split: rows[positions]}) for name, rows in known.items()}}


def _one_of_each(features: FeatureSet, rows: Array) -> set[int]:
    first: set[int] = set()
    if features.windows is not None:
        return first
    for name, gathered in features.gathered.items():
        if gathered.key.domain == "targets" and gathered.raw.dtype.kind in "iub" and gathered.raw.ndim == 1:
            values, positions = np.unique(features.raw(name)[rows], return_index=True)
            first |= set(positions.tolist()) if len(values) <= _MOST_CLASSES else set()
    return first
