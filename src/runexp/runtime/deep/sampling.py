"""Each source as far as it must be read: small ones whole, of large files the first rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.data import DataPlan
from runexp.plan.values import FrozenMap
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.build import Survey, open_source, survey, with_matrices
from runexp.runtime.data.few_rows import few_rows
from runexp.runtime.data.files import locate
from runexp.runtime.data.finding import find_files
from runexp.runtime.data.table import Array, Source
from runexp.runtime.streaming.opening import open_head

LARGEST_READ = 64 * 2**20
"""Bytes of a file that is read whole."""

_UNPACKED = 8  # a compressed file is taken to grow by this
_PACKED = frozenset({".gz", ".bz2", ".zst", ".lz4"})
_MOST_MADE = 20_000  # rows asked of a generator
_MANY_ROWS = 1000
_SOME_ROWS = 512


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """A feature set as far as it could be made, and what is known of its source.

    `is_whole`: every row was read. `is_divided`: its splits are the true ones, not stand-ins of all rows.
    `n_rows` counts the rows of the whole source, or guesses them by the size of the file.
    """

    plan: DataPlan
    survey: Survey | None
    features: FeatureSet
    found: tuple[Diagnostic, ...]
    n_rows: int
    is_whole: bool
    is_divided: bool

    @property
    def is_true(self) -> bool:
        """Whether counts of its splits are those of a run."""
        return self.is_whole and self.is_divided


class EverySplit(Mapping[str, Array]):
    """Any split one may name, each with all rows: for rows that could not be divided."""

    def __init__(self, n_rows: int) -> None:
        self._rows: Array = np.arange(n_rows)

    def __getitem__(self, name: str) -> Array:
        return self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True, slots=True, eq=False)
class SomeFold:
    """A fold that stands for all of them: its rows, empty where it could not be divided, and what its parts are."""

    rows: Mapping[str, Array]
    parts: Sequence[str]


def sample(plan: DataPlan, *, seed: int, folder: Path, fold: SomeFold | None = None) -> Sampled:
    """Read and survey one feature set; never raises for what is wrong with its data."""
    try:
        is_head = plan.stream is not None or is_large(plan, folder)
        source, n_rows = _opened(plan, seed=seed, folder=folder, is_head=is_head)
    except SpecError as error:
        nothing = FeatureSet(plan.name, np.arange(0), EverySplit(0), "", {}, {})
        return Sampled(plan, None, nothing, error.diagnostics, 0, is_whole=True, is_divided=False)
    given = fold.rows if fold is not None else None
    if fold is not None and is_head:
        given = dict.fromkeys(fold.parts, np.arange(source.n_rows))
    surveyed = survey(plan, source, seed=seed, given=given)
    found = surveyed.found
    unmatched: list[Diagnostic] = []
    features = with_matrices(plan, surveyed.features, folder=folder, found=unmatched)
    if not is_head:
        found = (*found, *unmatched)
    is_divided = bool(features.splits) and not (is_head and (fold is not None or plan.splits.kind == "column"))
    if is_head:
        found = tuple(item for item in found if item.code not in _ASK_FOR_ALL_ROWS)
    if not is_divided:
        features = replace(features, splits=EverySplit(features.n_rows))
    return Sampled(plan, surveyed, features, found, n_rows, is_whole=not is_head, is_divided=is_divided)


def _opened(plan: DataPlan, *, seed: int, folder: Path, is_head: bool) -> tuple[Source, int]:
    """What is read of a source, and how many rows there are in all."""
    if plan.stream is not None:
        return open_head(plan.source, folder)
    source = open_source(_shortened(plan) if is_head else plan, seed=seed, folder=folder, is_head=is_head)
    return source, _n_rows(plan, folder, source.n_rows) if is_head else source.n_rows


def attempts(
    sets: Mapping[str, FeatureSet], split: str, used: Sequence[str]
) -> list[tuple[dict[str, FeatureSet], bool]]:
    """Some rows, then more of them; whether they are all."""
    n_rows = min((len(sets[name].splits[split]) for name in used), default=0)
    if n_rows <= _MANY_ROWS:
        return [(dict(sets), True)]
    return [(few_rows(sets, split, used, most), n_rows <= most) for most in (_SOME_ROWS, 8 * _SOME_ROWS)]


_ASK_FOR_ALL_ROWS = frozenset({"empty-split", "unknown-split", "missing-split"})


def is_large(plan: DataPlan, folder: Path) -> bool:
    """Whether only the first rows of a source are looked at. `SpecError` where there is no such file."""
    if plan.source.call is not None:
        return _n_made(plan) > _MOST_MADE
    if plan.source.kind not in ("csv", "parquet") or find_files(plan.source, folder) is not None:
        return False  # of other kinds, and of several files, all is read
    path = locate(plan.source, folder)
    size = path.stat().st_size * (_UNPACKED if path.suffix in _PACKED else 1)
    if plan.source.kind == "parquet" and size <= LARGEST_READ:
        size = max(size, _unpacked(path) // _UNPACKED)
    return size > LARGEST_READ


def _n_made(plan: DataPlan) -> int:
    """The rows that a generator is asked for; 0 where it was left to it."""
    call = plan.source.call
    asked = call.arguments.get("n_samples") if call and call.code is None else None
    return asked if isinstance(asked, int) else 0


def _shortened(plan: DataPlan) -> DataPlan:
    """The plan with fewer rows asked of its generator."""
    call = plan.source.call
    if call is None:
        return plan
    fewer = replace(call, arguments=FrozenMap({**call.arguments, "n_samples": _MOST_MADE}))
    return replace(plan, source=replace(plan.source, call=fewer))


def _unpacked(path: Path) -> int:
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError, ValueError):
        return 0  # opening it will say what is wrong with it
    return sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))


def _n_rows(plan: DataPlan, folder: Path, n_read: int) -> int:
    if plan.source.call is not None:
        return _n_made(plan)
    path = folder / plan.source.path
    if plan.source.kind == "parquet":
        return int(pq.read_metadata(path).num_rows)
    if path.suffix in _PACKED:
        return n_read  # at least
    with path.open("rb") as file:
        start = file.read(2**20)
    return max(n_read, round(start.count(b"\n") * path.stat().st_size / len(start)))
