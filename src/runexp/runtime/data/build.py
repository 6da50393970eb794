"""From the plan of a feature set to the feature set: open, match, gather, divide, transform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from runexp.diagnostics import Diagnostic, SpecError, did_you_mean
from runexp.plan.data import DataPlan, SourcePlan, WindowPlan
from runexp.plan.values import Origin
from runexp.runtime.data.bundled import open_bundled
from runexp.runtime.data.delimited import open_delimited
from runexp.runtime.data.feature_set import FeatureSet
from runexp.runtime.data.function import open_function
from runexp.runtime.data.gathering import Gathered, gather
from runexp.runtime.data.joining import check_matched, join_tables, without_joined
from runexp.runtime.data.matching import Match, check_leaks, check_split_columns, match_keys, references
from runexp.runtime.data.matrix_file import open_matrix
from runexp.runtime.data.opening import open_planned
from runexp.runtime.data.own_sources import own_source
from runexp.runtime.data.pairs import PairMatrix, match_pairs
from runexp.runtime.data.parquet import open_parquet
from runexp.runtime.data.problems import collecting, shown, stop_at, wrong
from runexp.runtime.data.splits import ColumnOf, column_of_key, divide
from runexp.runtime.data.table import Array, Column, Source
from runexp.runtime.data.token_stream import open_stream
from runexp.runtime.data.tokenizer import Tokenizer, encode_keys, learn_tokenizer
from runexp.runtime.data.transforms import Applied, apply_transforms, check_transforms
from runexp.runtime.data.windows import Windowing, by_position, in_order, open_windows
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
    found = list(surveyed.found)
    features = with_matrices(plan, surveyed.features, folder=folder, found=found)
    stop_at(found)
    return features


def with_matrices(plan: DataPlan, features: FeatureSet, *, folder: Path, found: list[Diagnostic]) -> FeatureSet:
    """The feature set with the matrices between its rows; one whose rows could not be made is left out."""
    pairs: dict[str, PairMatrix] = {}
    for matrix in plan.matrices:
        if not features.splits or (matrix.id and matrix.id not in features.gathered):
            continue
        with collecting(found):
            ids = features.gathered[matrix.id].raw if matrix.id else None
            file = open_matrix(matrix, folder)
            pairs[matrix.name] = match_pairs(matrix, file, features.splits.values(), ids, features.n_rows)
    return replace(features, pairs=pairs) if pairs else features


def open_source(plan: DataPlan, *, seed: int, folder: Path, is_head: bool = False) -> Source:
    """The opened source of a feature set; with `is_head` only the first rows of a file."""
    own = _open(plan.source, plan.name, seed=seed, folder=folder, is_head=is_head)
    others = [_open(join.source, join.data, seed=seed, folder=folder) for join in plan.joins]
    return join_tables(own, plan.joins, others) if others else own


def _open(source: SourcePlan, name: str, *, seed: int, folder: Path, is_head: bool = False) -> Source:
    if source.is_stream:
        return open_stream(source, folder)
    if source.call is not None:
        made_by = derive_seed(seed, "source", name)
        opener = own_source(source.call.name)
        if opener is not None:
            return opener(source, source.call, made_by)
        open_call = open_function if source.call.code else open_bundled
        return open_call(source, source.call, seed=made_by)
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
    check_leaks(plan, matches, found)
    can_divide = check_split_columns(plan, source, found)
    unmatched = list(check_matched(plan, source))
    found += unmatched
    if unmatched:  # of which every joined column would tell again
        matches = without_joined(matches, plan)
    gathered = _gather_all(plan, source, matches, found)
    splits: dict[str, Array] = {}
    broken = {key.name for key in plan.keys if not key.is_made} - gathered.keys()
    if given is not None:
        splits = dict(given)
    elif can_divide and not broken & set(references(plan.splits)):
        with collecting(found):
            splits = divide(plan, source, _column_of(plan, source, gathered, plan.splits.origin), seed=seed)
    ids: Array = np.arange(source.n_rows)
    with collecting(found):
        ids = _ids(gathered, source, splits)
    tokenizer = _tokenize(plan, source, gathered, splits, found)
    applied = Applied({}, {})
    if splits and check_transforms(plan, splits, found):
        applied = apply_transforms(plan, gathered, splits, found, seed=seed)
    wanted = {name for transform in plan.transforms for name in transform.gives}
    sound = {name: array for name, array in gathered.items() if name in applied.transforms or name not in wanted}
    made = {**sound, **applied.made}
    columns = {match.key.name: match.columns for match in matches}
    features = FeatureSet(
        plan.name, ids, splits, source.fingerprint, made, applied.transforms, tokenizer, columns=columns
    )
    if plan.windows is not None:
        with collecting(found):
            features = replace(features, splits={}, windows=Windowing(plan.windows, np.arange(source.n_rows)))
            column_of = _column_of(plan, source, gathered, plan.windows.origin)
            features = _windowed(plan.windows, features, splits, source, column_of)
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
    return replace(features, splits=dict(splits), gathered=gathered, transforms=applied.transforms)


def _tokenize(
    plan: DataPlan,
    source: Source,
    gathered: dict[str, Gathered],
    splits: Mapping[str, Array],
    found: list[Diagnostic],
) -> Tokenizer | None:
    """Learn the tokenizer and put codes into the keys that hold tokens; keys that cannot have any are taken out."""
    tokens = [name for name, item in gathered.items() if item.key.is_tokens]
    if plan.tokenizer is None or not tokens:
        return None
    if splits:
        with collecting(found):
            tokenizer = learn_tokenizer(plan.tokenizer, gathered[tokens[0]].raw, splits)
            gathered.update(encode_keys(plan.tokenizer, tokenizer, gathered, source))
            return tokenizer
    for name in tokens:
        del gathered[name]
    return None


def _windowed(
    plan: WindowPlan, features: FeatureSet, splits: Mapping[str, Array], source: Source, column_of: ColumnOf
) -> FeatureSet:
    """The set with windows as its samples; `splits` are those of its rows."""
    windowing, starts = open_windows(plan, source, column_of, splits)
    transforms = {
        name: replace(item, values=by_position(windowing, item.values)) for name, item in features.transforms.items()
    }
    return replace(
        features,
        ids=by_position(windowing, features.ids),
        splits=starts,
        gathered=in_order(windowing, features.gathered),
        transforms=transforms,
        windows=windowing,
    )


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


def _column_of(plan: DataPlan, source: Source, gathered: Mapping[str, Gathered], origin: Origin) -> ColumnOf:
    """What rows are divided, ordered or grouped by at `origin`: a key as it was read, or a column of the source."""
    keys = [key.name for key in plan.keys]

    def column_of(name: str) -> Column:
        if name in gathered:
            return column_of_key(name, gathered[name].raw)
        if name in source.names:
            return source.column(name, origin)
        if name in keys:
            raise SpecError([])  # what is wrong with the key has been found
        known = [*keys, *source.names]
        message = f"{shown(name)} is no key or column of {shown(source.label)}"
        raise wrong(origin, "unknown-column", message, hint=did_you_mean(name, known, kind="keys and columns"))

    return column_of
