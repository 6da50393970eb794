"""Which row is in which split, as a table anyone can read."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from runexp.runtime.data.feature_set import FeatureSet
from runexp.runtime.data.table import Array


def membership(sets: Iterable[FeatureSet]) -> bytes:
    """A Parquet file of all rows: `data` (the feature set), `row` (its number in the source), `id`, `split`.

    A row of no split has a null there; one of several splits stands there once for each. Ids are text where those of
    any set are.
    """
    known = list(sets)
    is_text = any(_ids(found).dtype.kind not in "iu" for found in known)
    sink = io.BytesIO()
    kinds = {"data": pa.string(), "row": pa.int64(), "id": pa.string() if is_text else pa.int64(), "split": pa.string()}
    with pq.ParquetWriter(sink, pa.schema(kinds), compression="zstd") as writer:
        for found in known:
            for rows, ids, splits in _parts(found):
                writer.write_table(_table(found.name, rows, ids, splits, is_text=is_text))
    return sink.getvalue()


def _ids(found: FeatureSet) -> Array:
    return found.ids if found.stream is None else next(found.stream.memberships())[1]


def _parts(found: FeatureSet) -> Iterator[tuple[Array, Array, Mapping[str, Array]]]:
    """Row numbers, their ids, and the positions among them that are in each split: all, or what streams by."""
    if found.stream is not None:
        return found.stream.memberships()
    return iter([(np.arange(found.n_rows), found.ids, found.splits)])


def _table(name: str, numbers: Array, given: Array, splits: Mapping[str, Array], *, is_text: bool) -> pa.Table:
    inside = [*splits.values()]
    outside = np.setdiff1d(np.arange(len(numbers)), np.concatenate([np.empty(0, np.int64), *inside]))
    rows = np.concatenate([*inside, outside]).astype(np.int64)
    codes = np.repeat(np.arange(len(inside) + 1, dtype=np.int32), [*map(len, inside), len(outside)])
    order = np.lexsort((codes, rows))
    rows, codes = rows[order], codes[order]
    names = pa.array([*splits, None], pa.string())
    ids = given[rows].astype(str if is_text else np.int64)
    return pa.table(
        {
            "data": pa.repeat(pa.scalar(name), len(rows)),
            "row": pa.array(numbers[rows]),
            "id": pa.array(ids, pa.string() if is_text else pa.int64()),
            "split": names.take(pa.array(codes)),
        }
    )
