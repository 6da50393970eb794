"""The predictions that a run kept, read back and counted. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from runexp.results.judged import Confusion, Judged, Residuals

_TARGET = "targets."
_TAG = "tags."
_CLASS = ".class"
_SHARES = ".probabilities"
_MOST_POINTS = 500
_BINS = 24
_NOT_SAID = frozenset({"fold", "data", "row", "id", "split", "phase"})


def judged_in(file: Path, targets: Mapping[str, str]) -> Iterator[Judged]:
    """What a table of predictions says of each node that has a target there; `targets` maps nodes to their keys.

    Columns as `record: [predictions]` writes them: `<node>` or `<node>.class`, and `targets.<key>`. `OSError` or
    `ValueError` for a file that cannot be read.
    """
    table = pq.read_table(file)
    there = [name for name in table.column_names if name.startswith(_TARGET)]
    for node in _nodes(table):
        key = _TARGET + targets.get(node, "")
        target = key if key in there else there[0] if len(there) == 1 else ""
        if not target:
            continue
        if f"{node}{_CLASS}" in table.column_names:
            found = _confusion(table, node, target, file.stem)
        else:
            found = _residuals(table, node, target, file.stem)
        if found is not None:
            yield found


def _nodes(table: pa.Table) -> list[str]:
    """The nodes that have columns of their own, in order."""
    names = [name for name in table.column_names if name not in _NOT_SAID and not name.startswith((_TARGET, _TAG))]
    return list(dict.fromkeys(name.removesuffix(_CLASS).removesuffix(_SHARES) for name in names))


def _confusion(table: pa.Table, node: str, target: str, rows: str) -> Judged | None:
    said, true = table[f"{node}{_CLASS}"], table[target]
    if pa.types.is_list(said.type) or pa.types.is_list(true.type):
        return None  # a class at each step of a sequence
    pairs = pa.table({"true": true, "said": said}).drop_null().group_by(["true", "said"])
    counted = pairs.aggregate([([], "count_all")]).to_pylist()
    labels = sorted({row["true"] for row in counted} | {row["said"] for row in counted}, key=_in_order)
    place = {label: index for index, label in enumerate(labels)}
    counts = [[0] * len(labels) for _ in labels]
    for row in counted:
        counts[place[row["true"]]][place[row["said"]]] = row["count_all"]
    return Confusion(node, rows, tuple(map(_named, labels)), tuple(map(tuple, counts)))


def _in_order(label: Any) -> tuple[bool, Any]:  # noqa: ANN401 - a number or a text
    return isinstance(label, str), label


def _named(label: Any) -> str:  # noqa: ANN401 - a number or a text
    return f"{label:g}" if isinstance(label, float) else str(label)


def _residuals(table: pa.Table, node: str, target: str, rows: str) -> Judged | None:
    if node not in table.column_names:
        return None
    said, true = _numbers(table[node]), _numbers(table[target])
    if said is None or true is None or said.shape != true.shape:
        return None
    is_there = np.isfinite(said) & np.isfinite(true)
    said, true = said[is_there], true[is_there]
    if not len(said):
        return None
    errors = said - true
    counts, edges = np.histogram(errors, bins=_BINS)
    some = np.unique(np.linspace(0, len(said) - 1, min(len(said), _MOST_POINTS)).astype(int))
    return Residuals(
        node,
        rows,
        len(said),
        tuple(zip(true[some].tolist(), said[some].tolist(), strict=True)),
        tuple(edges.tolist()),
        tuple(counts.tolist()),
        float(errors.mean()),
        float(np.abs(errors).mean()),
        float((errors**2).mean()),
        float(true.var()),
    )


def _numbers(column: pa.ChunkedArray) -> Any | None:  # noqa: ANN401 - an array of doubles
    """A number a row as doubles, one of a list of one too; None for anything else."""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return np.asarray(column.to_numpy(), dtype=np.float64)
    return None
