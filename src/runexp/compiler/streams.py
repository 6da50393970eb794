"""Feature sets that are streamed: which those are, and what needs all of their rows at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from glob import iglob
from pathlib import Path as FilePath

from runexp import catalog
from runexp.compiler.findings import Findings, Path
from runexp.compiler.scope import Scope
from runexp.compiler.sources import is_pattern
from runexp.plan.data import DataPlan, SourcePlan, StreamPlan, TransformPlan
from runexp.plan.experiment import walk
from runexp.plan.phases import EvaluationPlan, FitPlan, GroupPlan, PhasePlan, TrainPlan
from runexp.plan.streaming import is_learned_by_rows
from runexp.plan.values import Call
from runexp.spec.data import Data, Stream
from runexp.spec.shape import path_of

LARGEST_HELD = 2 << 30
"""Bytes on disk of Parquet files that are held in memory where a spec does not say: 2 GiB."""

_HOLD = "`stream: false` holds all rows in memory"


def link_stream(
    found: Findings, data: Data, source: SourcePlan | None, path: Path, folder: FilePath
) -> StreamPlan | None:
    """How a feature set is streamed; None where it is held."""
    if data.stream is False or source is None:
        return None
    kinds = {part.kind for part in source.parts.values()} or {source.kind}
    if kinds != {"parquet"}:
        if data.stream is not None:
            message = f"`{path[1]}` is streamed, and only Parquet files can be"
            _refuse(found, message, (*path, "stream"), help="write the table as Parquet, or leave out `stream`")
        return None
    if data.stream is None and sum(_sizes(source, folder)) <= LARGEST_HELD:
        return None
    _check_splits(found, data, path)
    for option in ("windows", "matrix", "join"):
        if getattr(data, option) is not None:
            _refuse(found, f"`{option}` needs all rows of `{path[1]}`, which is streamed", (*path, option))
    written = data.stream if isinstance(data.stream, Stream) else Stream()
    return StreamPlan(written.buffer, written.prefetch)


def check_transforms(found: Findings, plan: DataPlan) -> None:
    """Report transforms of a streamed set that cannot be fitted on rows as they come."""
    if plan.stream is None:
        return
    for transform in plan.transforms:
        if not _learns_by_rows(transform):
            message = f"`{transform.call.name}` is fitted on all rows at once, and `{plan.name}` is streamed"
            hint = f"StandardScaler, MinMaxScaler, MaxAbsScaler and IncrementalPCA learn as rows come; {_HOLD}"
            _refuse(found, message, path_of(transform.origin.path), help=hint)


def check_streams(scope: Scope, phases: Sequence[PhasePlan]) -> None:
    """Report phases that need all rows of a streamed set at once, or several sets of which one is streamed."""
    streamed = [name for name, plan in scope.data.items() if plan.stream is not None]
    for phase in walk(tuple(phases)) if streamed else ():
        if isinstance(phase, GroupPlan):
            continue
        name = next((name for name in phase.data if name in streamed), None)
        if name is None:
            continue
        path = path_of(phase.origin.path)
        if len(phase.data) > 1:
            others = ", ".join(f"`{other}`" for other in phase.data if other != name)
            message = f"`{name}` is streamed, and `{phase.label}` uses {others} beside it"
            _refuse(scope.found, message, path)
        elif isinstance(phase, FitPlan):
            _check_fit(scope, phase, name, path)
        elif phase.lanes:
            message = f"`{name}` is streamed, and `{phase.label}` draws it with a sampler or in several lanes"
            _refuse(scope.found, message, path)
        if isinstance(phase, TrainPlan):
            _check_evaluations(scope, phase, streamed)


def _check_fit(scope: Scope, phase: FitPlan, name: str, path: Path) -> None:
    for node in phase.nodes:
        call = scope.nodes[node].calls[0]
        if not has_partial_fit(call):
            message = f"`{phase.label}` fits `{node}` on all rows at once, and `{name}` is streamed"
            hint = (
                f"estimators with `partial_fit`, such as IncrementalPCA or SGDClassifier, learn as rows come; {_HOLD}"
            )
            _refuse(scope.found, message, path, help=hint)


def _check_evaluations(scope: Scope, phase: TrainPlan, streamed: Sequence[str]) -> None:
    plans = [(item.name, item.evaluation, item.origin) for item in phase.callbacks if isinstance(item, EvaluationPlan)]
    for name, plan, origin in plans:
        data = next((data for data in plan.data if data in streamed), None)
        if data is not None and (len(plan.data) > 1 or plan.lanes):
            message = f"`{data}` is streamed, and `{name}` uses other sets beside it, or a sampler"
            _refuse(scope.found, message, path_of(origin.path))


def _check_splits(found: Findings, data: Data, path: Path) -> None:
    for option in ("stratify_by", "group_by", "within", "gap"):
        if data.splits is not None and getattr(data.splits, option):
            message = f"`{option}` looks at all rows of `{path[1]}` at once, which is streamed"
            hint = f"a column that names each row's split can be streamed: `splits: {{column: …}}`; {_HOLD}"
            _refuse(found, message, (*path, "splits", option), help=hint)


def _learns_by_rows(transform: TransformPlan) -> bool:
    if transform.target or transform.is_together or transform.is_column:
        return False
    return is_learned_by_rows(transform.call) or has_partial_fit(transform.call)


def has_partial_fit(call: Call) -> bool:
    """Whether an estimator of the catalog learns row by row; one that the catalog does not know may."""
    entry = catalog.lookup(call.name)
    return entry is None or "partial_fit" in entry.words("methods")


def _refuse(found: Findings, message: str, path: Path, *, help: str = _HOLD) -> None:
    found.error("not-streamed", message, path, part="key", help=help)


def _sizes(source: SourcePlan, folder: FilePath) -> Iterator[int]:
    """The bytes of each file."""
    if source.parts:
        for part in source.parts.values():
            yield from _sizes(part, folder)
        return
    for path in _files(source.path, folder):
        try:
            yield path.stat().st_size
        except OSError:
            continue  # opening it will say what is wrong with it


def _files(source: str, folder: FilePath) -> Iterator[FilePath]:
    path = folder / source
    if path.is_dir():
        for parent, _, names in os.walk(path):
            yield from (FilePath(parent, name) for name in names)
    elif is_pattern(source) and not path.exists():
        yield from (folder / match for match in iglob(source, root_dir=folder))
    else:
        yield path
