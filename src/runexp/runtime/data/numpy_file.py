"""NumPy's own files: `.npz`, a column for each array, and `.npy`, one array. Nothing is ever unpickled."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runexp.plan.data import SourcePlan
from runexp.plan.values import Origin
from runexp.runtime.data.files import fingerprint, locate
from runexp.runtime.data.problems import first_line, shown, wrong
from runexp.runtime.data.table import Array, Column, make_column

COLUMN = "values"


@dataclass(frozen=True, slots=True, eq=False)
class NumpySource:
    """Arrays of equally many rows, (N,) or (N, *inner)."""

    label: str
    arrays: Mapping[str, Array]
    fingerprint: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.arrays)

    @property
    def n_rows(self) -> int:
        return len(next(iter(self.arrays.values())))

    def column(self, name: str, origin: Origin) -> Column:
        values = self.arrays[name]
        if values.dtype.kind != "S":
            return make_column(name, values)
        try:
            return make_column(name, np.char.decode(values, "utf-8"))
        except UnicodeDecodeError as error:
            row = _first_undecodable(values)
            message = f"column {shown(name)} of {shown(self.label)} holds text that is not UTF-8 in {self.place(row)}"
            raise wrong(origin, "unreadable-file", message) from error

    def place(self, row: int) -> str:
        return f"row {row}"


def open_numpy(plan: SourcePlan, folder: Path) -> NumpySource:
    """Read a file whole. The array of an `.npy` is the column `values`; one with named fields has those as columns."""
    path = locate(plan, folder)
    digest = fingerprint(plan, path)
    try:
        arrays = _arrays(path)
    except (OSError, ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise wrong(plan.origin, "unreadable-file", f"{shown(path.name)} {_explained(error)}") from error
    _check_lengths(plan, path, arrays)
    return NumpySource(path.name, {name: _native(values) for name, values in arrays.items()}, digest)


def _arrays(path: Path) -> dict[str, Array]:
    with path.open("rb") as stream:
        loaded = np.load(stream, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            return {name: loaded[name] for name in loaded.files}
        fields = loaded.dtype.names
        return {name: loaded[name] for name in fields} if fields else {COLUMN: loaded}


def _first_undecodable(values: Array) -> int:
    for row, value in enumerate(values.reshape(len(values), -1).tolist()):
        try:
            b"".join(value).decode()
        except UnicodeDecodeError:
            return row
    return 0


def _explained(error: Exception) -> str:
    if "allow_pickle" in str(error):
        return "holds pickled objects, which are never loaded: save plain arrays"
    return f"cannot be read: {first_line(error)}"


def _check_lengths(plan: SourcePlan, path: Path, arrays: Mapping[str, Array]) -> None:
    single = next((name for name, values in arrays.items() if values.ndim == 0), None)
    if single is not None:
        message = f"array {shown(single)} of {shown(path.name)} is one value and has no rows"
        raise wrong(plan.origin, "ragged-shape", message)
    lengths = {len(values): name for name, values in arrays.items()}
    if len(lengths) > 1:
        written = " and ".join(f"{shown(name)} has {length}" for length, name in list(lengths.items())[:2])
        raise wrong(plan.origin, "ragged-shape", f"arrays of {shown(path.name)} differ in rows: {written}")
    if not any(lengths):
        raise wrong(plan.origin, "empty-source", f"{shown(path.name)} has no rows")


def _native(values: Array) -> Array:
    """In this machine's order of bytes, which torch needs."""
    return values.astype(values.dtype.newbyteorder("="), copy=False)
