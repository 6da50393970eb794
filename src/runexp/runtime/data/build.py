"""From the plan of a feature set to the feature set: open, match, gather, divide, transform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.data import DataPlan
from runexp.runtime.data.bundled import open_bundled
from runexp.runtime.data.delimited import open_delimited
from runexp.runtime.data.feature_set import FeatureSet
from runexp.runtime.data.gathering import Gathered, gather
from runexp.runtime.data.matching import Match, check_split_columns, match_keys, references
from runexp.runtime.data.opening import open_planned
from runexp.runtime.data.parquet import open_parquet
from runexp.runtime.data.problems import collecting, shown, stop_at, wrong
from runexp.runtime.data.splits import ColumnOf, column_of_key, divide
from runexp.runtime.data.table import Array, Column, Source
from runexp.runtime.data.transforms import Applied, apply_transforms, check_transforms
from runexp.runtime.seeds import derive_seed

_ID = "id"
_MOST_IDS = 1000  # looked at for one in two splits


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What could be made of a source, and everything found wrong with it.

    `features` lacks the keys that could not be made, and all splits where the rows could not be divided.
    """

    source: Source
    matches: tuple[Match, ...]
    features: FeatureSet
    found: tuple[Diagnostic, ...]


def build_feature_set(
    plan: DataPlan, *, seed: int, folder: Path, given: Mapping[str, Array] | None = None
) -> FeatureSet:
    """The feature set of a plan; relative paths are looked for in `folder`. `given` are rows by split, of a fold.

    The rows' ids are the tag `id` where there is one, else their numbers from 0.
    Raises `SpecError` with everything that is wrong in the data.
    """
    surveyed = survey(plan, open_source(plan, seed=seed, folder=folder), seed=seed, given=given)
    stop_at(list(surveyed.found))
    return surveyed.features


def open_source(plan: DataPlan, *, seed: int, folder: Path, is_head: bool = False) -> Source:
    """The opened source of a feature set; with `is_head` only the first rows of a file."""
    source = plan.source
    if source.call is not None:
        return open_bundled(source, source.call, seed=derive_seed(seed, "source", plan.name))
    if is_head:
        open_file = open_parquet if source.kind == "parquet" else open_delimited
        return open_file(source, folder, is_head=True)
    return open_planned(source, folder)


def survey(plan: DataPlan, source: Source, *, seed: int, given: Mapping[str, Array] | None = None) -> Survey:
    """Make all that can be made of a source. What follows from a mistake is not reported again.

    `given` are rows by split instead of those that the plan asks for.
    """
    found: list[Diagnostic] = []
    matches = match_keys(plan, source, found)
    can_divide = check_split_columns(plan, source, found)
    gathered = _gather_all(plan, source, matches, found)
    splits: dict[str, Array] = {}
    broken = {key.name for key in plan.keys if not key.is_made} - gathered.keys()
    if given is not None:
        splits = dict(given)
    elif can_divide and not broken & set(references(plan.splits)):
        with collecting(found):
            splits = divide(plan, source, _column_of(plan, source, gathered), seed=seed)
    ids: Array = np.arange(source.n_rows)
    with collecting(found):
        ids = _ids(gathered, source, splits)
    applied = Applied({}, {})
    if splits and check_transforms(plan, splits, found):
        applied = apply_transforms(plan, gathered, splits, found, seed=seed)
    wanted = {name for transform in plan.transforms for name in transform.gives}
    sound = {name: array for name, array in gathered.items() if name in applied.transforms or name not in wanted}
    features = FeatureSet(plan.name, ids, splits, source.fingerprint, {**sound, **applied.made}, applied.transforms)
    return Survey(source, matches, features, tuple(found))


def refit(plan: DataPlan, features: FeatureSet, splits: Mapping[str, Array], *, seed: int) -> FeatureSet:
    """The same rows with other splits: every transform fitted anew, on the rows its split has now.

    Raises `SpecError` with every transform that cannot be fitted on them.
    """
    found: list[Diagnostic] = []
    read = {name: array for name, array in features.gathered.items() if not array.key.is_made}
    applied = Applied({}, {})
    if check_transforms(plan, splits, found):
        applied = apply_transforms(plan, read, splits, found, seed=seed)
    stop_at(found)
    gathered = {**read, **applied.made}
    return FeatureSet(features.name, features.ids, dict(splits), features.fingerprint, gathered, applied.transforms)


def _gather_all(
    plan: DataPlan, source: Source, matches: Sequence[Match], found: list[Diagnostic]
) -> dict[str, Gathered]:
    transformed = {name for transform in plan.transforms for name in transform.keys}
    gathered: dict[str, Gathered] = {}
    for match in matches:
        with collecting(found):
            gathered[match.key.name] = gather(match, source, keep_exact=match.key.name in transformed)
    return gathered


def _ids(gathered: Mapping[str, Gathered], source: Source, splits: Mapping[str, Array]) -> Array:
    tag = gathered.get(_ID)
    if tag is None or tag.key.domain != "tags" or tag.raw.ndim != 1:
        return np.arange(source.n_rows)
    values, counts = np.unique(tag.raw, return_counts=True)
    if len(values) < len(tag.raw):
        raise _twice(tag, values[counts > 1], source, splits)
    return tag.raw


def _twice(tag: Gathered, again: Array, source: Source, splits: Mapping[str, Array]) -> SpecError:
    """Ids that stand in two rows; an id in two splits is named first, for that is the worse mistake."""
    owner = np.full(source.n_rows, -1)
    names = list(splits)
    for index, rows in enumerate(splits.values()):
        owner[rows] = index
    for value in again[:_MOST_IDS]:
        rows = np.flatnonzero(tag.raw == value)
        other = rows[(owner[rows] >= 0) & (owner[rows] != owner[rows[0]])]
        if owner[rows[0]] >= 0 and len(other):
            first, second = int(rows[0]), int(other[0])
            message = (
                f"id {shown(value)} is in split {shown(names[owner[first]])} ({source.place(first)})"
                f" and in {shown(names[owner[second]])} ({source.place(second)}) of {shown(source.label)}"
            )
            hint = "`group_by: id` keeps the rows of an id together, under another name than `id`"
            return wrong(tag.key.origin, "id-in-two-splits", message, hint=hint)
    rows = np.flatnonzero(tag.raw == again[0])[:2]
    where = " and ".join(source.place(int(row)) for row in rows)
    return wrong(tag.key.origin, "duplicate-id", f"id {shown(again[0])} stands in {where} of {shown(source.label)}")


def _column_of(plan: DataPlan, source: Source, gathered: Mapping[str, Gathered]) -> ColumnOf:
    """What rows are divided by: a key as it was read, or a column of the source."""

    def column_of(name: str) -> Column:
        if name in gathered:
            return column_of_key(name, gathered[name].raw)
        return source.column(name, plan.splits.origin)

    return column_of
