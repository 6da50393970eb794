"""A labelled table of rows in three domains, and views of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from runexp.plan.data import Domain
from runexp.runtime.data.conditions import COMPARISONS, holds
from runexp.runtime.data.gathering import Gathered
from runexp.runtime.data.pairs import PairMatrix
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.row_stream import RowStream
from runexp.runtime.data.splits import column_of_key
from runexp.runtime.data.summary import Summary, summarize
from runexp.runtime.data.table import Array, Column
from runexp.runtime.data.tabular import to_frame, to_table
from runexp.runtime.data.tokenizer import Tokenizer
from runexp.runtime.data.transforms import Transformed
from runexp.runtime.data.windows import Windowing

Where = Mapping[str, Any] | Sequence[bool] | Array
"""Conditions by key, or a mask of rows."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSet:
    """Rows with a stable id, their keys, the splits they are in, and matrices between them (`pairs`); `columns` are
    those of the source that each key was read from, where that is known.

    Every array that is handed out is read-only: (N, *shape of the key), rows in the order of the source. Seen through
    windows its rows are windows instead, each named by the position of its first row; nothing is copied.
    Where there is a `stream`, these are the first rows of a source that is not held: they tell shapes and types, every
    split has all of them, and the rows of a phase come from the stream.
    """

    name: str
    ids: Array
    splits: Mapping[str, Array]
    fingerprint: str
    gathered: Mapping[str, Gathered]
    transforms: Mapping[str, Transformed]
    tokenizer: Tokenizer | None = None
    windows: Windowing | None = None
    pairs: Mapping[str, PairMatrix] = field(default_factory=dict)
    stream: RowStream | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tensors: dict[tuple[str, torch.device], torch.Tensor] = field(default_factory=dict, init=False, repr=False)

    @property
    def n_rows(self) -> int:
        """How many rows there are; of windows: at how many positions one may start."""
        return len(self.ids) if self.windows is None else self.windows.n_starts

    def n_rows_of(self, split: str) -> int:
        """How many rows a split has; `KeyError` where there is none of that name."""
        return len(self.splits[split]) if self.stream is None else self.stream.counts[split]

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the keys, in the order written."""
        return tuple(self.gathered)

    @property
    def has_ids(self) -> bool:
        """Whether rows are known by the tag `id`, and not by their numbers alone."""
        tag = self.gathered.get("id")
        return tag is not None and tag.key.domain == "tags" and tag.raw.ndim == 1

    def raw(self, key: str) -> Array:
        """What was read."""
        return self._seen(key, self._gathered(key).raw)

    def transformed(self, key: str) -> Array:
        """What the transforms made of it; `KeyError` where there are none."""
        return self._seen(key, self.transforms[key].values)

    def array(self, key: str) -> Array:
        """What a node receives: transformed where there is a transform, raw otherwise."""
        return self.transformed(key) if key in self.transforms else self.raw(key)

    def shape_of(self, key: str) -> tuple[int, ...]:
        """The shape of one row of `array`."""
        return self.array(key).shape[1:]

    def dtype_of(self, key: str) -> np.dtype[Any]:
        """The type of `array`."""
        return self.array(key).dtype

    def domain_of(self, key: str) -> Domain:
        """Whether the key is among the features, the targets or the tags."""
        return self._gathered(key).key.domain

    def classes(self, key: str) -> tuple[str, ...]:
        """The labels that the codes 0..K-1 of a text target stand for; empty for other keys."""
        return self._gathered(key).classes

    def transformers(self, key: str) -> tuple[Any, ...]:
        """The fitted scikit-learn objects, in the order they were applied."""
        return tuple(step.transformer for step in self.transforms[key].steps) if key in self.transforms else ()

    def inverse(self, key: str, values: Array) -> Array:
        """A node's values of the key (M, *shape) in original units: (M, *shape of raw), float64.

        For a key of one number a row, (M,) and (M, 1) are both taken and (M,) is given back. A key of several rows of
        a window is given as `array` has it.
        """
        if key not in self.transforms:
            return values
        result = np.asarray(values, dtype=np.float64)
        result = self.windows.by_row(key, result) if self.windows else result
        for step in reversed(self.transforms[key].steps):
            result = step.back(result).reshape(len(result), *step.shape_in)
        return self.windows.by_window(key, result) if self.windows else result

    def can_go_back(self, key: str) -> bool:
        """Whether numbers of the key can be taken back to the units they were read in."""
        return key not in self.transforms or all(step.can_go_back for step in self.transforms[key].steps)

    def tensor(self, key: str, device: str | torch.device) -> torch.Tensor:
        """The whole key on a device; made once and kept. On the CPU it shares memory.

        It is contiguous, or a strided view of what is where it is seen through windows.
        """
        place = (key, torch.device(device))
        if place not in self.tensors:
            rows = self._make_tensor(key).to(place[1])
            self.tensors[place] = rows if self.windows is None else self.windows.tensor(key, rows)
        return self.tensors[place]

    def n_classes(self, key: str) -> int:
        """How many classes or tokens the codes of a key stand for; 0 where it holds no codes that are known."""
        if self.classes(key):
            return len(self.classes(key))
        for transformer in reversed(self.transformers(key)):
            if hasattr(transformer, "categories_"):
                n_unknown = int(transformer.handle_unknown == "use_encoded_value")
                return max(len(known) for known in transformer.categories_) + n_unknown
        return 0

    def bounds(self, key: str) -> tuple[int, int]:
        """The least and the largest number of a key of whole numbers, over all rows; (0, -1) where there are none."""
        values = self.transforms[key].values if key in self.transforms else self._gathered(key).raw
        return (int(values.min()), int(values.max())) if values.size else (0, -1)

    def places(self, matrix: str, device: str | torch.device) -> torch.Tensor:
        """Where every row stands in a matrix between rows, (N,) int64 on a device; 0: nowhere."""
        return torch.from_numpy(self.pairs[matrix].places).to(device)

    def view(self, rows: str | Sequence[int] | Array, keys: Sequence[str] | None = None) -> FeatureSetView:
        """The rows of a split, or given rows (-1: masked), of all keys or some."""
        indexes = self.splits[rows] if isinstance(rows, str) else np.asarray(rows, dtype=np.int64)
        return FeatureSetView(self, indexes, self.keys if keys is None else tuple(keys))

    def select(self, keys: str | Sequence[str]) -> FeatureSetView:
        """A view of all rows with some keys; copies nothing."""
        return self._all().select(keys)

    def filter(self, where: Where) -> FeatureSetView:
        """A view of the rows that fulfil conditions or a mask, with all keys; see `FeatureSetView.filter`."""
        return self._all().filter(where)

    def to_arrow(self, *, raw: bool = False) -> pa.Table:
        """All rows as an Arrow table; see `FeatureSetView.to_arrow`."""
        return self._all().to_arrow(raw=raw)

    def to_pandas(self, *, raw: bool = False) -> Any:  # noqa: ANN401 - pandas is optional
        """All rows as a pandas data frame; see `FeatureSetView.to_arrow`."""
        return self._all().to_pandas(raw=raw)

    def summary(self) -> Summary:
        """A row a key; printed, a table."""
        rows = tuple(summarize(found, self._transforms(name)) for name, found in self.gathered.items())
        return Summary(self.name, self.n_rows, {name: len(rows) for name, rows in self.splits.items()}, rows)

    def column(self, key: str) -> Column:
        """A key as it was read, words instead of their codes, for conditions on it."""
        gathered = self._gathered(key)
        values = np.asarray(gathered.classes)[gathered.raw] if gathered.classes else gathered.raw
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        return column_of_key(key, values)

    def _transforms(self, key: str) -> tuple[str, ...]:
        return tuple(type(transformer).__name__ for transformer in self.transformers(key))

    def _all(self) -> FeatureSetView:
        return FeatureSetView(self, np.arange(self.n_rows), self.keys)

    def _gathered(self, key: str) -> Gathered:
        return self.gathered[key]

    def _seen(self, key: str, values: Array) -> Array:
        return _read_only(values if self.windows is None else self.windows.array(key, values))

    def _make_tensor(self, key: str) -> torch.Tensor:
        values = self.transforms[key].values if key in self.transforms else self.gathered[key].raw
        if key not in self.transforms and self.gathered[key].key.gaps == "fill" and self.gathered[key].n_missing:
            message = f"{shown(key)} has missing values, which a transform fills in the key that it makes of it only"
            raise wrong(self.gathered[key].key.origin, "missing-values", message)
        if values.dtype.kind not in "biuf":
            message = f"{shown(key)} holds no numbers, so that nothing can be computed from it"
            raise wrong(self.gathered[key].key.origin, "non-numeric-column", message)
        return torch.from_numpy(np.ascontiguousarray(values))


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSetView:
    """Some rows and keys of a feature set, without a copy until an array is asked for. Row -1 is masked."""

    source: FeatureSet
    rows: Array
    keys: tuple[str, ...]

    def __post_init__(self) -> None:
        unknown = [key for key in self.keys if key not in self.source.gathered]
        if unknown:
            raise KeyError(unknown[0])
        if self.rows.ndim != 1 or (
            len(self.rows) and not -1 <= self.rows.min() <= self.rows.max() < self.source.n_rows
        ):
            raise IndexError(f"rows of `{self.source.name}` go from -1 (masked) to {self.source.n_rows - 1}")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> Array:
        """The ids of the rows that are not masked."""
        return self.source.ids[self.rows[self.rows >= 0]]

    def array(self, key: str) -> Array:
        """(len, *shape); zeros (or empty text) where a row is masked."""
        if key not in self.keys:
            raise KeyError(key)
        taken = self.source.array(key)[self.rows]
        taken[self.rows < 0] = np.zeros((), taken.dtype)
        return taken

    def select(self, keys: str | Sequence[str]) -> FeatureSetView:
        """The same rows with some of its keys; copies nothing. `KeyError` for one it has not."""
        return self.view(np.arange(len(self)), (keys,) if isinstance(keys, str) else keys)

    def filter(self, where: Where) -> FeatureSetView:
        """The rows that fulfil conditions, with the same keys; copies nothing.

        `where` is key → comparison → value as under `splits.where` (`{"age": {"ge": 18}}`), key → value for equality,
        or a mask (len,) of truth values. Keys are compared as they were read; a masked row fulfils no condition.
        Raises `KeyError` for an unknown key, `SpecError` for values that cannot be compared.
        """
        if not isinstance(where, Mapping):
            chosen = np.asarray(where)
            if chosen.dtype != bool or chosen.shape != (len(self),):
                raise ValueError(f"a mask is one truth value a row, ({len(self)},), not {chosen.dtype} {chosen.shape}")
            return self.view(np.flatnonzero(chosen))
        fulfils = self.rows >= 0
        for key, written in where.items():
            comparisons = written if isinstance(written, Mapping) else {"eq": written}
            unknown = [name for name in comparisons if name not in COMPARISONS]
            if unknown:
                raise ValueError(f"no comparison is called {unknown[0]!r}; there are {', '.join(COMPARISONS)}")
            column = self.source.column(key)
            fulfils &= holds(self.source.gathered[key].key.origin, column, comparisons)[self.rows]
        return self.view(np.flatnonzero(fulfils))

    def to_arrow(self, *, raw: bool = False) -> pa.Table:
        """The rows as an Arrow table: `id` and the keys, lists where a key has several values a row.

        Values are those a node receives; with `raw` those that were read, words of text targets among them. A masked
        row is null.
        """
        ids = {} if "id" in self.keys else {"id": self.source.ids[self.rows]}
        keys = {key: self._read(key) if raw else self.array(key) for key in self.keys}
        return to_table((ids | keys).items(), self.rows < 0)

    def to_pandas(self, *, raw: bool = False) -> Any:  # noqa: ANN401 - pandas is optional
        """The rows as a pandas data frame; `ImportError` where pandas is not installed."""
        return to_frame(self.to_arrow(raw=raw))

    def _read(self, key: str) -> Array:
        classes = self.source.classes(key)
        values = self.source.raw(key)[self.rows]
        return np.asarray(classes)[values] if classes else values

    def mask(self) -> Array:
        """(len,) float32: 1 for a row, 0 for a masked one."""
        return (self.rows >= 0).astype(np.float32)

    def view(self, positions: Sequence[int] | Array, keys: Sequence[str] | None = None) -> FeatureSetView:
        """A view of this view: positions in it (-1: masked), of its keys or some of them."""
        indexes = np.asarray(positions, dtype=np.int64)
        if len(indexes) and not -1 <= indexes.min() <= indexes.max() < len(self):
            raise IndexError(f"positions go from -1 (masked) to {len(self) - 1}")
        outside = [key for key in keys or () if key not in self.keys]
        if outside:
            raise KeyError(outside[0])
        padded = np.append(self.rows, -1)  # so that position -1 is a masked row, also of an empty view
        return FeatureSetView(self.source, padded[indexes], self.keys if keys is None else tuple(keys))


def _read_only(values: Array) -> Array:
    shown_values = values.view()
    shown_values.flags.writeable = False
    return shown_values
