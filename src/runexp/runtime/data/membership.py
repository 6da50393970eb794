"""Which row is in which split, as a table anyone can read."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from runexp.runtime.data.feature_set import FeatureSet
from runexp.runtime.data.table import Array


def membership(sets: Iterable[FeatureSet]) -> bytes:
    """A Parquet file of all rows: `data` (the feature set), `row` (its number in the source), `id`, `split`.

    A row of no split has a null there; one of several splits stands there once for each. Ids are text where those of
    any set are. Of a set with windows there is a row for each window of a split: `row` and `id` are those of its first
    row, `last_id` is that of its last; the column is there where any set has windows.
    """
    known = list(sets)
    has_windows = any(found.windows is not None for found in known)
    is_text = any(found.ids.dtype.kind not in "iu" for found in known)
    tables = [_table(found, is_text=is_text, has_windows=has_windows) for found in known]
    sink = io.BytesIO()
    pq.write_table(pa.concat_tables(tables), sink, compression="zstd")
    return sink.getvalue()


def _table(found: FeatureSet, *, is_text: bool, has_windows: bool) -> pa.Table:
    inside = [*found.splits.values()]
    outside = np.arange(0)  # a window that lies in no split is no sample
    if found.windows is None:
        outside = np.setdiff1d(np.arange(found.n_rows), np.concatenate([np.empty(0, np.int64), *inside]))
    rows = np.concatenate([*inside, outside]).astype(np.int64)
    codes = np.repeat(np.arange(len(inside) + 1, dtype=np.int32), [*map(len, inside), len(outside)])
    order = np.lexsort((codes, rows))
    rows, codes = rows[order], codes[order]
    names = pa.array([*found.splits, None], pa.string())
    columns = {
        "data": pa.repeat(pa.scalar(found.name), len(rows)),
        "row": pa.array(rows if found.windows is None else found.windows.rows[rows]),
        "id": _ids(found, rows, is_text=is_text),
        "split": names.take(pa.array(codes)),
    }
    if has_windows:
        ends = None if found.windows is None else found.windows.last(rows)
        kind = columns["id"].type
        columns["last_id"] = pa.nulls(len(rows), kind) if ends is None else _ids(found, ends, is_text=is_text)
    return pa.table(columns)


def _ids(found: FeatureSet, rows: Array, *, is_text: bool) -> Any:  # noqa: ANN401 - pyarrow has no types
    ids = found.ids[rows].astype(str if is_text else np.int64)
    return pa.array(ids, pa.string() if is_text else pa.int64())
