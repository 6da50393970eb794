"""Values between pairs of rows: held once, looked up by where the rows of a batch stand in the matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from runexp.plan.data import MatrixPlan
from runexp.runtime.data.labels import as_labels
from runexp.runtime.data.matrix_file import MatrixFile
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.table import Array

_MOST_NAMED = 3
_LEAVE_OUT = "rows that `splits` puts nowhere (`where:`, an empty value of `column:`) need no values"


@dataclass(frozen=True, slots=True, eq=False)
class PairMatrix:
    """A matrix between rows of a feature set.

    `padded` (M + 1, M + 1) float32 has zeros in its first row and column: a masked row, whose place is 0, has zeros
    with every other (S-04). `places` (N,) int64 says where the rows of the feature set stand in it; 0 for those that
    are in no split and have no values. `n_surplus` of the M are no row of the set.
    """

    name: str
    padded: Array
    places: Array
    n_surplus: int
    fingerprint: str
    tensors: dict[torch.device, torch.Tensor] = field(default_factory=dict, init=False, repr=False)

    def tensor(self, device: str | torch.device) -> torch.Tensor:
        """The padded matrix on a device; made once and kept. On the CPU it shares memory."""
        where = torch.device(device)
        if where not in self.tensors:
            self.tensors[where] = torch.from_numpy(self.padded).to(where)
        return self.tensors[where]

    def block(self, rows: Sequence[int] | Array) -> Array:
        """The values between some rows of the feature set (-1: masked), (len, len) float32."""
        indexes = np.asarray(rows, dtype=np.int64)
        places = np.append(self.places, 0)[indexes]
        values: Array = self.padded[np.ix_(places, places)]
        return values


def match_pairs(
    plan: MatrixPlan, file: MatrixFile, splits: Iterable[Array], ids: Array | None, n_rows: int
) -> PairMatrix:
    """The matrix of a file, matched with the rows of a feature set: by `ids` (n_rows,), or by order where None.

    Raises `SpecError` where a row of a split is not in the file, or a value between two such rows is missing.
    """
    used = np.unique(np.concatenate([np.empty(0, np.int64), *splits])).astype(np.int64)
    places = _by_order(plan, file, n_rows) if ids is None else _by_id(plan, file, ids, used)
    _refuse_missing(plan, file, places[used])
    n_surplus = len(file.padded) - 1 - len(np.unique(places[places > 0]))
    return PairMatrix(plan.name, file.padded, places, n_surplus, file.fingerprint)


def _by_order(plan: MatrixPlan, file: MatrixFile, n_rows: int) -> Array:
    n_values = len(file.padded) - 1
    if n_values != n_rows:
        message = f"{shown(file.label)} is about {n_values} rows in their order, and there are {n_rows}"
        hint = "say by which tag rows are matched: `id: …`" if file.ids else "a CSV with ids can be about other rows"
        raise wrong(plan.origin, "unaligned-data", message, hint=hint)
    return np.arange(1, n_rows + 1)


def _by_id(plan: MatrixPlan, file: MatrixFile, ids: Array, used: Array) -> Array:
    if not file.ids:
        message = f"{shown(file.label)} has no ids to match rows by"
        hint = "leave `id` out where both stand in the same order; ids are the first row and the first column"
        raise wrong(plan.origin, "unaligned-data", message, hint=hint)
    known = {name: place for place, name in enumerate(as_labels(np.asarray(file.ids), like=ids), start=1)}
    places = np.array([known.get(name, 0) for name in as_labels(ids)], dtype=np.int64)
    lacking = used[places[used] == 0]
    if len(lacking):
        message = (
            f"{shown(file.label)} lacks {len(lacking)} of {len(used)} rows, by `{plan.id}`: {_named(ids[lacking])}"
        )
        hint = f"its ids are {_named(np.asarray(file.ids))}" if len(lacking) == len(used) else _LEAVE_OUT
        raise wrong(plan.origin, "unaligned-data", message, hint=hint)
    return places


def _named(ids: Array) -> str:
    more = len(ids) - _MOST_NAMED
    return ", ".join(map(shown, as_labels(ids[:_MOST_NAMED]))) + (f" and {more} more" if more > 0 else "")


def _refuse_missing(plan: MatrixPlan, file: MatrixFile, places: Array) -> None:
    """Every value between two rows of the splits must be a finite number."""
    broken = ~np.isfinite(file.padded)
    if not broken.any():
        return
    inside = np.zeros(len(file.padded), bool)
    inside[places] = True
    broken &= inside[:, None] & inside[None, :]
    if not broken.any():
        return
    row, column = np.argwhere(broken)[0]
    value = file.padded[row, column]
    more = int(np.count_nonzero(broken)) - 1
    others = f" and {more} more" if more else ""
    what = "no value" if np.isnan(value) else f"the value {shown(value)}"
    pair = f"{shown(file.name_of(int(row)))} and {shown(file.name_of(int(column)))}"
    code = "missing-values" if np.isnan(value) else "non-finite-values"
    raise wrong(plan.origin, code, f"{shown(file.label)} has {what} between {pair}{others}")
