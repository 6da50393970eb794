"""A user's tables read for a model: the samples it is asked about, and which rows of a table they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from runexp.runtime.data import FeatureSet
from runexp.runtime.data.table import Array
from runexp.runtime.data.windows import Windowing
from runexp.runtime.model.problems import CannotPredict


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """The keys that are read of one table. Where its samples are windows, `starts` (M,) ascending are those of them,
    and `heads` the positions at which groups begin."""

    features: FeatureSet
    starts: Array | None = None
    heads: Array | None = None

    @property
    def n_samples(self) -> int:
        """Rows, or windows."""
        return self.features.n_rows if self.starts is None else len(self.starts)

    def tensor(self, key: str, samples: slice, device: torch.device) -> Tensor:
        """(M, *shape) of some samples."""
        values = self.features.tensor(key, device)
        return values[samples] if self.starts is None else values[torch.from_numpy(self.starts[samples]).to(device)]


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """The rows of some windows, each once: of the first window it stands in, which has most rows before it.

    `is_taken` (M, size) are the steps that are meant, `positions` (N,) ascending their rows in the order of windows,
    `rows` (N,) the same in the table; `is_first` (N,) where nothing stands before a row.
    """

    is_taken: Array
    positions: Array
    rows: Array
    is_first: Array


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The tables of a model by role and feature set; where no rows are drawn together the only role is empty."""

    opened: Mapping[tuple[str, str], Opened]

    def __post_init__(self) -> None:
        counts = {".".join(filter(None, place)): one.n_samples for place, one in self.opened.items()}
        if len(set(counts.values())) > 1:
            told = ", ".join(f"`{name}` {count}" for name, count in counts.items())
            raise CannotPredict(f"the tables must have equally many rows or windows, and have: {told}")

    @property
    def first(self) -> Opened:
        """The table that names the samples: the first with windows, if any has."""
        every = list(self.opened.values())
        return next((one for one in every if one.starts is not None), every[0])

    @property
    def windowing(self) -> Windowing | None:
        """The windows that samples are, if they are."""
        return self.first.features.windows

    def ends(self, samples: slice) -> Array | None:
        """(M,) the row of the table in which each window ends, from 0; None where samples are the rows themselves."""
        windowing, starts = self.windowing, self.first.starts
        if windowing is None or starts is None:
            return None
        rows: Array = windowing.rows[windowing.last(starts[samples])]
        return rows

    def steps(self, samples: slice) -> Steps:
        """The rows of some windows that no window before them has."""
        windowing, starts, heads = self.windowing, self.first.starts, self.first.heads
        assert windowing is not None and starts is not None and heads is not None
        size, own = windowing.plan.size, starts[samples]
        before = starts[samples.start - 1] + size if samples.start else 0
        is_taken = np.arange(size) >= (np.concatenate([[before], own[:-1] + size]) - own)[:, None]
        positions = (own[:, None] + np.arange(size))[is_taken]
        return Steps(is_taken, positions, windowing.rows[positions], np.isin(positions, heads))
