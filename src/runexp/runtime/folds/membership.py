"""Which row is in which part of which fold, as a table anyone can read."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from runexp.runtime.folds.divide import Division

_SCHEMA = pa.schema(
    [
        ("data", pa.string()),
        ("row", pa.int64()),
        ("id", pa.string()),
        ("fold", pa.int32()),
        ("split", pa.string()),
    ]
)


def fold_membership(division: Division) -> bytes:
    """A Parquet file: `data`, `row` (its number in the source), `id` (as text), `fold`, `split` (of that fold).

    Splits outside of the pool are in it for every fold. A row that a fold leaves out has no line of that fold.
    """
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, _SCHEMA, compression="zstd") as file:
        for table in _tables(division):
            file.write_table(table)
    return sink.getvalue()


def _tables(division: Division) -> Iterator[pa.Table]:
    for fold in division.folds:
        for name, splits in fold.rows.items():
            rows = np.concatenate(list(splits.values()))
            codes = np.repeat(np.arange(len(splits)), list(map(len, splits.values())))
            order = np.argsort(rows, kind="stable")
            yield pa.table(
                {
                    "data": pa.repeat(pa.scalar(name), len(rows)),
                    "row": pa.array(rows[order]),
                    "id": pa.array(division.ids[name][rows[order]].astype(str), pa.string()),
                    "fold": pa.array(np.full(len(rows), fold.index, np.int32)),
                    "split": pa.array(list(splits), pa.string()).take(pa.array(codes[order])),
                },
                schema=_SCHEMA,
            )
