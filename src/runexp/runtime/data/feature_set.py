"""A labelled table of rows in three domains, and views of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from runexp.plan.data import Domain
from runexp.runtime.data.gathering import Gathered
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.table import Array
from runexp.runtime.data.transforms import Transformed


class SummaryRow(NamedTuple):
    """One key in short, as it was read; `min`, `max` and `mean` are None where it holds no numbers."""

    key: str
    domain: Domain
    shape: tuple[int, ...]
    dtype: str
    min: float | None
    max: float | None
    mean: float | None
    n_missing: int


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSet:
    """Rows with a stable id, their keys, and the splits they are in.

    Every array that is handed out is read-only: (N, *shape of the key), rows in the order of the source.
    """

    name: str
    ids: Array
    splits: Mapping[str, Array]
    fingerprint: str
    gathered: Mapping[str, Gathered]
    transforms: Mapping[str, Transformed]
    tensors: dict[tuple[str, torch.device], torch.Tensor] = field(default_factory=dict, init=False, repr=False)

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.ids)

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the keys, in the order written."""
        return tuple(self.gathered)

    def raw(self, key: str) -> Array:
        """What was read."""
        return _read_only(self._gathered(key).raw)

    def transformed(self, key: str) -> Array:
        """What the transforms made of it; `KeyError` where there are none."""
        return _read_only(self.transforms[key].values)

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

        For a key of one number a row, (M,) and (M, 1) are both taken and (M,) is given back.
        """
        if key not in self.transforms:
            return values
        result = np.asarray(values, dtype=np.float64)
        for step in reversed(self.transforms[key].steps):
            result = step.back(result).reshape(len(values), *step.shape_in)
        return result

    def can_go_back(self, key: str) -> bool:
        """Whether numbers of the key can be taken back to the units they were read in."""
        return key not in self.transforms or all(step.can_go_back for step in self.transforms[key].steps)

    def tensor(self, key: str, device: str | torch.device) -> torch.Tensor:
        """The whole key on a device, contiguous; made once and kept. On the CPU it shares memory."""
        place = (key, torch.device(device))
        if place not in self.tensors:
            self.tensors[place] = self._make_tensor(key).to(place[1])
        return self.tensors[place]

    def view(self, rows: str | Sequence[int] | Array, keys: Sequence[str] | None = None) -> FeatureSetView:
        """The rows of a split, or given rows (-1: masked), of all keys or some."""
        indexes = self.splits[rows] if isinstance(rows, str) else np.asarray(rows, dtype=np.int64)
        return FeatureSetView(self, indexes, self.keys if keys is None else tuple(keys))

    def summary(self) -> tuple[SummaryRow, ...]:
        """One plain row a key, for display."""
        return tuple(_summary(gathered) for gathered in self.gathered.values())

    def _gathered(self, key: str) -> Gathered:
        return self.gathered[key]

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


def _summary(gathered: Gathered) -> SummaryRow:
    key, raw = gathered.key, gathered.raw
    numbers: tuple[float | None, float | None, float | None] = (None, None, None)
    if raw.dtype.kind in "biuf" and gathered.n_missing < len(raw):
        numbers = (float(np.nanmin(raw)), float(np.nanmax(raw)), float(np.nanmean(raw, dtype=np.float64)))
    return SummaryRow(key.name, key.domain, raw.shape[1:], raw.dtype.name, *numbers, gathered.n_missing)
