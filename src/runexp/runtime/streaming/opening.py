"""From the plan of a streamed feature set to its stream: a look at the first rows, then one pass for each question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from runexp.diagnostics import Diagnostic
from runexp.plan.data import DataPlan, SourcePlan, TransformPlan
from runexp.runtime.data.feature_set import FeatureSet
from runexp.runtime.data.fitted import scikit_learn_at
from runexp.runtime.data.gathering import Gathered, gather
from runexp.runtime.data.matching import Match, check_leaks, check_split_columns, match_keys
from runexp.runtime.data.problems import collecting, stop_at
from runexp.runtime.data.several import SPLIT_OF_FILE
from runexp.runtime.data.table import Array, DType, Source
from runexp.runtime.data.transforms import Transformed, check_transforms
from runexp.runtime.seeds import derive_seed
from runexp.runtime.streaming.chunks import Chunk, chunks
from runexp.runtime.streaming.column import StreamedRows
from runexp.runtime.streaming.dividing import divide_stream
from runexp.runtime.streaming.parquet_files import ParquetFiles, numpy_type, open_files
from runexp.runtime.streaming.stream import Stream, StreamedKey
from runexp.runtime.streaming.transforms import Learner, first_use, learner_of

HEAD_ROWS = 4096
"""The first rows, which stand in for all where only shapes and types are asked for."""


def open_stream(plan: DataPlan, *, seed: int, folder: Path) -> FeatureSet:
    """The first rows of a streamed source, and the stream: divided, with its transforms fitted.

    Raises `SpecError` with everything found wrong.
    Features that no transform learns from are first checked when they are drawn.
    """
    files = open_files(plan.source, folder)
    found: list[Diagnostic] = []
    matches = match_keys(plan, files.table, found)
    check_leaks(plan, matches, found)
    check_split_columns(plan, files.table, found)
    stop_at(found)
    head = _head(files, matches)
    first = {match.key.name: _looked_at(match, head, found) for match in matches}
    stop_at(found)
    transformed = {name for transform in plan.transforms for name in transform.keys}
    keys = {
        match.key.name: _key(match, gathered, files, is_transformed=match.key.name in transformed)
        for match in matches
        if (gathered := first[match.key.name]) is not None
    }
    stream = Stream(plan, files, keys, {})
    stream = replace(stream, keys=keys | _with_classes(stream, first))
    stream = replace(stream, splits=divide_stream(plan, files, stream.chunks, stream.column_of, seed=seed))
    stream = _fitted(stream, head, seed=seed)
    return _first_rows(stream, head)


def open_head(plan: SourcePlan, folder: Path) -> tuple[Source, int]:
    """The first rows of a streamed source, all columns, and how many rows there are in all."""
    files = open_files(plan, folder)
    names = (*files.names, *([SPLIT_OF_FILE] if plan.kind == "files" else []))
    first = next(chunks(files, names, files.groups[:1]))
    return replace(first, names=files.names, table=first.table.slice(0, HEAD_ROWS)), files.n_rows


def _head(files: ParquetFiles, matches: Sequence[Match]) -> Chunk:
    names = tuple(dict.fromkeys(column for match in matches for column in match.columns))
    first = next(chunks(files, names, files.groups[:1]))
    return replace(first, table=first.table.slice(0, HEAD_ROWS))


def _looked_at(match: Match, head: Chunk, found: list[Diagnostic]) -> Gathered | None:
    gathered: Gathered | None = None
    with collecting(found):
        gathered = gather(match, head, keep_exact=False)
    return gathered


def _key(match: Match, first: Gathered, files: ParquetFiles, *, is_transformed: bool) -> StreamedKey:
    """The key with its type settled, so that every chunk has the same."""
    key, kind = match.key, first.raw.dtype.kind
    is_settled = key.dtype or key.words or key.is_mask or first.classes or kind not in "biuf"
    if is_settled or is_transformed or key.domain == "features":
        return StreamedKey(match, np.empty(0, str), (), "" if is_transformed else key.dtype)
    dtype = str(_widest(first, files, match.columns))
    if kind != "f" and any(files.may_lack(name) for name in match.columns):
        dtype = "float32" if key.domain == "targets" else "float64"
    if key.domain == "tags" and not key.gaps:
        return StreamedKey(match, np.empty(0, str), (), dtype)
    return StreamedKey(replace(match, key=replace(key, dtype=dtype)), np.empty(0, str), (), dtype)


def _widest(first: Gathered, files: ParquetFiles, names: Sequence[str]) -> DType:
    """The type that the columns of a key have together in all files."""
    if first.key.domain == "targets":
        return first.raw.dtype
    kinds = (kind for name in names for kind in files.arrow_types(name) if files.sort_of(name) == "numbers")
    return np.result_type(first.raw.dtype, *map(numpy_type, kinds))


def _with_classes(stream: Stream, first: Mapping[str, Gathered | None]) -> dict[str, StreamedKey]:
    """The targets of text, with the labels that any row has: one pass over their columns."""
    named = {name: stream.keys[name] for name, gathered in first.items() if gathered and gathered.classes}
    if not named:
        return {}
    matches = {name: replace(one.match, key=replace(one.key, words=True)) for name, one in named.items()}
    labels: dict[str, Array] = {name: np.empty(0, str) for name in named}
    for chunk in stream.chunks(list(named)):
        for name, match in matches.items():
            labels[name] = np.union1d(labels[name], np.unique(gather(match, chunk, keep_exact=False).raw))
    return {
        name: StreamedKey(
            replace(matches[name], key=replace(one.key, words=True)), labels[name], (), one.key.dtype or "int64"
        )
        for name, one in named.items()
    }


def _fitted(stream: Stream, head: Chunk, *, seed: int) -> Stream:
    """The stream with its transforms fitted: a pass for the first of every key, another for the second, …"""
    found: list[Diagnostic] = []
    lengths = {name: np.broadcast_to(np.int8(0), members.n_rows) for name, members in stream.splits.items()}
    check_transforms(stream.plan, lengths, found)
    stop_at(found)
    chains: dict[str, list[TransformPlan]] = {}
    for transform in stream.plan.transforms:
        for name in transform.keys:
            chains.setdefault(name, []).append(transform)
    for level in range(max(map(len, chains.values()), default=0)):
        due = {name: chain[level] for name, chain in chains.items() if len(chain) > level}
        stream = replace(stream, keys={**stream.keys, **_level(stream, due, head, seed=seed)})
    typed = {name: _typed(stream.keys[name], head) for name in chains}
    return replace(stream, keys={**stream.keys, **typed})


def _level(stream: Stream, due: Mapping[str, TransformPlan], head: Chunk, *, seed: int) -> dict[str, StreamedKey]:
    learners = {
        name: learner_of(transform, derive_seed(seed, "transform", stream.plan.name, name))
        for name, transform in due.items()
    }
    for chunk in stream.chunks(list(due)):
        for name, transform in due.items():
            _learn(learners[name], transform, stream, name, chunk)
    done = {}
    for name, transform in due.items():
        key = stream.keys[name]
        with scikit_learn_at(transform.origin):
            transformer = learners[name].fitted()
        example = key.exact(head, np.arange(min(2, head.n_rows)))
        done[name] = replace(key, steps=(*key.steps, first_use(transform, transformer, example)))
    return done


def _learn(learner: Learner, transform: TransformPlan, stream: Stream, name: str, chunk: Chunk) -> None:
    """Give a transformer the rows of a chunk that it is fitted on."""
    rows = np.flatnonzero(stream.splits[transform.fit_on].inside(chunk.start, chunk.stop))
    if not len(rows):
        return
    values = stream.keys[name].exact(chunk, rows)
    with scikit_learn_at(transform.origin):
        learner.take(values)


def _typed(key: StreamedKey, head: Chunk) -> StreamedKey:
    """The type of what the transformers give, as of a table in memory, judged by the first rows."""
    if key.key.words and not len(key.classes):
        return replace(key, dtype=key.key.dtype or "float32")
    raw = key.read(head, np.arange(head.n_rows)).raw.dtype
    values = key.exact(head, np.arange(head.n_rows))
    is_whole = (values == np.floor(values)).all()
    return replace(key, dtype=str(raw) if raw.kind == "f" or is_whole or key.key.dtype else "float32")


def _first_rows(stream: Stream, head: Chunk) -> FeatureSet:
    rows = np.arange(head.n_rows)
    gathered = {name: key.read(head, rows) for name, key in stream.keys.items()}
    transforms = {name: Transformed(key.array(head, rows), key.steps) for name, key in stream.keys.items() if key.steps}
    splits: dict[str, Array] = dict.fromkeys(stream.splits, rows)
    return FeatureSet(
        stream.plan.name, rows, splits, stream.files.fingerprint, gathered, transforms, stream=StreamedRows(stream)
    )
