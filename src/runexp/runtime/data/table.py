"""What a source gives: named columns of equal length, each an array with its missing rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from runexp.plan.values import Origin

Array = NDArray[Any]
DType = np.dtype[Any]
Kind = Literal["integer", "float", "bool", "text", "time", "other"]

_KINDS: dict[str, Kind] = {
    "i": "integer",
    "u": "integer",
    "f": "float",
    "b": "bool",
    "U": "text",
    "M": "time",
    "m": "time",
}


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column: `values` (N,) or (N, *inner), and which rows are missing (N,), None where none is.

    What stands in a missing row is NaN, an empty text or no time.
    """

    name: str
    values: Array
    missing: Array | None

    @property
    def kind(self) -> Kind:
        """What the values are."""
        return _KINDS.get(self.values.dtype.kind, "other")

    @property
    def is_numeric(self) -> bool:
        """Whether arithmetic makes sense on the values."""
        return self.kind in {"integer", "float", "bool"}

    @property
    def n_missing(self) -> int:
        """How many rows are missing."""
        return 0 if self.missing is None else int(np.count_nonzero(self.missing))


class Source(Protocol):
    """An opened source. `label` is what messages call it; rows count from 0."""

    @property
    def label(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def n_rows(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

    def column(self, name: str, origin: Origin) -> Column:
        """One column; `SpecError` at `origin`, who asks for it, where it cannot be read."""

    def place(self, row: int) -> str:
        """Where a row stands, for a message: `row 3 (line 5)`."""


def make_column(name: str, values: Array, missing: Array | None = None) -> Column:
    """A column; NaN (and no time) counts as missing."""
    if values.dtype.kind in "fMm":
        absent = np.isnan(values) if values.dtype.kind == "f" else np.isnat(values)
        empty = np.asarray(absent.reshape(len(values), -1).any(axis=1))
        missing = empty if missing is None else np.logical_or(missing, empty)
    if missing is not None and not missing.any():
        missing = None
    return Column(name, values, missing)
