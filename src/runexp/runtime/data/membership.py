"""Which row is in which split, as a table anyone can read."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from runexp.runtime.data.feature_set import FeatureSet
from runexp.runtime.data.table import Array


class _Part(NamedTuple):
    """Row numbers, their ids, and the positions among them that are in each split."""

    numbers: Array
    ids: Array
    splits: Mapping[str, Array]


def membership(sets: Iterable[FeatureSet]) -> bytes:
    """A Parquet file of all rows: `data` (the feature set), `row` (its number in the source), `id`, `split`.

    A row of no split has a null there; one of several splits stands there once for each. Ids are text where those of
    any set are. Of a set with windows there is a row for each window of a split: `row` and `id` are those of its first
    row, `last_id` is that of its last; the column is there where any set has windows.
    """
    known = list(sets)
    has_windows = any(found.windows is not None for found in known)
    is_text = any(_known_ids(found).dtype.kind not in "iu" for found in known)
    sink = io.BytesIO()
    of_ids = pa.string() if is_text else pa.int64()
    kinds = {"data": pa.string(), "row": pa.int64(), "id": of_ids, "split": pa.string()}
    kinds |= {"last_id": of_ids} if has_windows else {}
    with pq.ParquetWriter(sink, pa.schema(kinds), compression="zstd") as writer:
        for found in known:
            for part in _parts(found):
                writer.write_table(_table(found, part, is_text=is_text, has_windows=has_windows))
    return sink.getvalue()


def _known_ids(found: FeatureSet) -> Array:
    return found.ids if found.stream is None else next(found.stream.memberships())[1]


def _parts(found: FeatureSet) -> Iterator[_Part]:
    """All rows at once, or what streams by."""
    if found.stream is not None:
        return (_Part(*part) for part in found.stream.memberships())
    numbers = np.arange(found.n_rows) if found.windows is None else found.windows.rows
    return iter([_Part(numbers, found.ids, found.splits)])


def _table(found: FeatureSet, part: _Part, *, is_text: bool, has_windows: bool) -> pa.Table:
    inside = [*part.splits.values()]
    outside = np.arange(0)  # a window that lies in no split is no sample
    if found.windows is None:
        outside = np.setdiff1d(np.arange(len(part.numbers)), np.concatenate([np.empty(0, np.int64), *inside]))
    rows = np.concatenate([*inside, outside]).astype(np.int64)
    codes = np.repeat(np.arange(len(inside) + 1, dtype=np.int32), [*map(len, inside), len(outside)])
    order = np.lexsort((codes, rows))
    rows, codes = rows[order], codes[order]
    names = pa.array([*part.splits, None], pa.string())
    columns = {
        "data": pa.repeat(pa.scalar(found.name), len(rows)),
        "row": pa.array(part.numbers[rows]),
        "id": _ids(part.ids, rows, is_text=is_text),
        "split": names.take(pa.array(codes)),
    }
    if has_windows:
        ends = None if found.windows is None else found.windows.last(rows)
        kind = columns["id"].type
        columns["last_id"] = pa.nulls(len(rows), kind) if ends is None else _ids(part.ids, ends, is_text=is_text)
    return pa.table(columns)


def _ids(ids: Array, rows: Array, *, is_text: bool) -> Any:  # noqa: ANN401 - pyarrow has no types
    return pa.array(ids[rows].astype(str if is_text else np.int64), pa.string() if is_text else pa.int64())
