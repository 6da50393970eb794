"""Which rows a table is about: their numbers, ids, tags and targets, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from runexp.runtime.data import FeatureSet
from runexp.runtime.data.table import Array
from runexp.runtime.recorded.values import listed, named


class RowFacts(Protocol):
    """The columns that tell rows apart."""

    def take(self, n_rows: int) -> dict[str, Any]:
        """The columns of the next rows."""
        ...


class HeldRows:
    """Rows of a feature set in memory, `rows` of them in the order in which they come; `role` ends every column."""

    def __init__(self, features: FeatureSet, rows: Array, keys: Sequence[str], *, role: str = "") -> None:
        self._features = features
        self._rows = rows
        self._keys = keys
        self._suffix = f".{role}" if role else ""
        self._start = 0

    def take(self, n_rows: int) -> dict[str, Any]:
        """The columns of the next rows."""
        rows = self._rows[self._start : self._start + n_rows]
        self._start += n_rows
        features = self._features
        numbers = rows if features.windows is None else features.windows.rows[rows]
        told = row_columns(features, numbers, features.ids[rows])
        told |= {column_of(features, key): key_column(features, key, features.raw(key)[rows]) for key in self._keys}
        return {f"{name}{self._suffix}": values for name, values in told.items()}


class StreamedRows:
    """Rows of a split that stream by once more, in the order of the source: their tags and targets are read again."""

    def __init__(self, features: FeatureSet, split: str, keys: Sequence[str]) -> None:
        self._features = features
        self._split = split
        self._keys = keys
        self._rest: list[Array] = []
        self._source: Iterator[list[Array]] | None = None

    def take(self, n_rows: int) -> dict[str, Any]:
        """The columns of the next rows."""
        if self._source is None:
            self._source = self._read()
        while not self._rest or len(self._rest[0]) < n_rows:
            piece = next(self._source)
            self._rest = [np.concatenate(pair) for pair in zip(self._rest, piece, strict=True)] if self._rest else piece
        taken, self._rest = [one[:n_rows] for one in self._rest], [one[n_rows:] for one in self._rest]
        features, (numbers, ids, *raws) = self._features, taken
        told = row_columns(features, numbers, ids)
        pairs = zip(self._keys, raws, strict=True)
        return told | {column_of(features, key): key_column(features, key, raw) for key, raw in pairs}

    def _read(self) -> Iterator[list[Array]]:
        stream = self._features.stream
        assert stream is not None  # only made for a set that streams
        for numbers, ids, raws in stream.described(self._split, self._keys):
            yield [numbers, ids, *raws]


def tags_of(features: FeatureSet) -> list[str]:
    """The tags that are kept with rows, but for the ids, which have a column of their own."""
    return [key for key in features.keys if features.domain_of(key) == "tags" and key != "id"]


def row_columns(features: FeatureSet, numbers: Array, ids: Array) -> dict[str, Any]:
    """`data`, `row` (the number in the source), `id`."""
    return {
        "data": pa.repeat(pa.scalar(features.name), len(numbers)),
        "row": pa.array(numbers),
        "id": pa.array(ids.astype(str), pa.string()),
    }


def column_of(features: FeatureSet, key: str) -> str:
    """What the column of a key is called."""
    return f"{features.domain_of(key)}.{key}"


def key_column(features: FeatureSet, key: str, raw: Array) -> Any:  # noqa: ANN401 - pyarrow has no types
    """A key as it was read, words instead of their codes."""
    return named(features, key, raw.reshape(len(raw), -1)) if len(raw) else listed(raw)
