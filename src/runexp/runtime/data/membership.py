"""Which row is in which split, as a table anyone can read."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from runexp.runtime.data.feature_set import FeatureSet


def membership(sets: Iterable[FeatureSet]) -> bytes:
    """A Parquet file of all rows: `data` (the feature set), `row` (its number in the source), `id`, `split`.

    A row of no split has a null there; one of several splits stands there once for each. Ids are text where those of
    any set are.
    """
    known = list(sets)
    is_text = any(found.ids.dtype.kind not in "iu" for found in known)
    tables = [_table(found, is_text=is_text) for found in known]
    sink = io.BytesIO()
    pq.write_table(pa.concat_tables(tables), sink, compression="zstd")
    return sink.getvalue()


def _table(found: FeatureSet, *, is_text: bool) -> pa.Table:
    inside = [*found.splits.values()]
    outside = np.setdiff1d(np.arange(found.n_rows), np.concatenate([np.empty(0, np.int64), *inside]))
    rows = np.concatenate([*inside, outside]).astype(np.int64)
    codes = np.repeat(np.arange(len(inside) + 1, dtype=np.int32), [*map(len, inside), len(outside)])
    order = np.lexsort((codes, rows))
    rows, codes = rows[order], codes[order]
    names = pa.array([*found.splits, None], pa.string())
    ids = found.ids[rows].astype(str if is_text else np.int64)
    return pa.table(
        {
            "data": pa.repeat(pa.scalar(found.name), len(rows)),
            "row": pa.array(rows),
            "id": pa.array(ids, pa.string() if is_text else pa.int64()),
            "split": names.take(pa.array(codes)),
        }
    )
