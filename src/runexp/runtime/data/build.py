"""From the plan of a feature set to the feature set: open, match, gather, divide, transform."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from runexp.diagnostics import Diagnostic
from runexp.plan.data import DataPlan
from runexp.runtime.data.bundled import open_bundled
from runexp.runtime.data.feature_set import FeatureSet
from runexp.runtime.data.gathering import Gathered, gather
from runexp.runtime.data.matching import check_split_columns, match_keys
from runexp.runtime.data.opening import open_planned
from runexp.runtime.data.problems import collecting, shown, stop_at, wrong
from runexp.runtime.data.splits import ColumnOf, column_of_key, divide
from runexp.runtime.data.table import Array, Column, Source
from runexp.runtime.data.transforms import apply_transforms, check_transforms
from runexp.runtime.seeds import derive_seed

_ID = "id"


def build_feature_set(plan: DataPlan, *, seed: int, folder: Path) -> FeatureSet:
    """The feature set of a plan; relative paths are looked for in `folder`.

    The rows' ids are the tag `id` where there is one, else their numbers from 0.
    Raises `SpecError` with everything that a stage finds wrong in the data.
    """
    source = open_source(plan, seed=seed, folder=folder)
    gathered = _gather_all(plan, source)
    ids = _ids(gathered, source)
    splits = divide(plan, source, _column_of(plan, source, gathered), seed=seed)
    found: list[Diagnostic] = []
    check_transforms(plan, splits, found)
    stop_at(found)
    transforms = apply_transforms(plan, gathered, splits, seed=seed)
    return FeatureSet(plan.name, ids, splits, source.fingerprint, gathered, transforms)


def open_source(plan: DataPlan, *, seed: int, folder: Path) -> Source:
    """The opened source of a feature set."""
    source = plan.source
    if source.call is not None:
        return open_bundled(source, source.call, seed=derive_seed(seed, "source", plan.name))
    return open_planned(source, folder)


def _gather_all(plan: DataPlan, source: Source) -> dict[str, Gathered]:
    found: list[Diagnostic] = []
    matches = match_keys(plan, source, found)
    check_split_columns(plan, source, found)
    stop_at(found)
    transformed = {name for transform in plan.transforms for name in transform.keys}
    gathered: dict[str, Gathered] = {}
    for match in matches:
        with collecting(found):
            gathered[match.key.name] = gather(match, source, keep_exact=match.key.name in transformed)
    stop_at(found)
    return gathered


def _ids(gathered: Mapping[str, Gathered], source: Source) -> Array:
    tag = gathered.get(_ID)
    if tag is None or tag.key.domain != "tags" or tag.raw.ndim != 1:
        return np.arange(source.n_rows)
    values, counts = np.unique(tag.raw, return_counts=True)
    if len(values) < len(tag.raw):
        again = values[int(np.argmax(counts > 1))]
        rows = np.flatnonzero(tag.raw == again)[:2]
        where = " and ".join(source.place(int(row)) for row in rows)
        raise wrong(tag.key.origin, "duplicate-id", f"id {shown(again)} stands in {where} of {shown(source.label)}")
    return tag.raw


def _column_of(plan: DataPlan, source: Source, gathered: Mapping[str, Gathered]) -> ColumnOf:
    """What rows are divided by: a key as it was read, or a column of the source."""

    def column_of(name: str) -> Column:
        if name in gathered:
            return column_of_key(name, gathered[name].raw)
        return source.column(name, plan.splits.origin)

    return column_of
