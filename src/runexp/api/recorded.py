"""The tables that phases of a run recorded, read when they are asked for. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from runexp.results.lookup import unknown

Kind = Literal["predictions", "outputs", "gradients"]
KINDS: tuple[Kind, ...] = ("predictions", "outputs", "gradients")


class RecordedTable:
    """A table of a run folder, as Arrow, pandas or NumPy; of a phase of several folds the lines of all of them."""

    def __init__(self, kind: Kind, phase: str, files: Sequence[Path]) -> None:
        self.kind = kind
        self.phase = phase
        self.files = tuple(files)

    def __repr__(self) -> str:
        return f"RecordedTable({self.kind} of {self.phase}, {len(self)} rows: {', '.join(self.columns)})"

    def __len__(self) -> int:
        return sum(part.num_rows for part in self._heads)

    def __getitem__(self, column: str) -> Any:  # noqa: ANN401 - a NumPy array
        """One column as a NumPy array, (rows, *shape of its values); `UnknownNameError` for one it has not."""
        if column not in self.columns:
            raise unknown("column", column, self.columns)
        found = self.to_arrow(columns=[column])[column].combine_chunks()
        if hasattr(found, "to_numpy_ndarray"):
            return found.to_numpy_ndarray()
        values = found.to_numpy(zero_copy_only=False)
        is_list = len(values) and hasattr(values[0], "shape")
        return _library("numpy", "[]").stack(values) if is_list else values

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self._heads[0].schema.to_arrow_schema().names)

    def to_arrow(self, *, columns: Sequence[str] | None = None) -> Any:  # noqa: ANN401 - an Arrow table
        """An Arrow table of all columns or some; `ImportError` without pyarrow."""
        parquet = _library("pyarrow.parquet", "to_arrow")
        chosen = None if columns is None else list(columns)
        tables = [parquet.ParquetFile(file).read(columns=chosen) for file in self.files]
        return _library("pyarrow", "to_arrow").concat_tables(tables, promote_options="permissive")

    def to_pandas(self) -> Any:  # noqa: ANN401 - pandas may be missing
        """A DataFrame; `ImportError` without pandas."""
        _library("pandas", "to_pandas")
        return self.to_arrow().to_pandas()

    @cached_property
    def _heads(self) -> list[Any]:
        parquet = _library("pyarrow.parquet", "to_arrow")
        return [parquet.ParquetFile(file).metadata for file in self.files]


def recorded_files(folder: Path) -> list[tuple[Kind, str, Path]]:
    """Every whole table of a run folder: what it records, the phase, the file."""
    found: list[tuple[Kind, str, Path]] = []
    for kind in KINDS:
        root = folder / kind
        files = (path for path in sorted(root.rglob("*.parquet")) if not _is_hidden(path.relative_to(root)))
        found += [(kind, path.relative_to(root).with_suffix("").as_posix(), path) for path in files]
    return found


def recorded_table(folder: Path, kind: Kind, phase: str) -> RecordedTable:
    """The table of a phase, of all its folds where it ran in folds; without a phase that of the only one.

    `UnknownNameError` where there is none, or several.
    """
    files = {label: path for found, label, path in recorded_files(folder) if found == kind}
    labels = {label.partition("/")[2] if _is_of_fold(label) else label for label in files}
    wanted = phase or (next(iter(labels)) if len(labels) == 1 else "")
    if wanted in files:
        return RecordedTable(kind, wanted, [files[wanted]])
    parts = {label: label.partition("/")[2] for label in files if _is_of_fold(label)}
    folds = {label: files[label] for label, inner in parts.items() if inner == wanted}
    if not folds:
        raise unknown(f"{kind} of a phase", wanted, sorted({*labels, *files}), plural="phases")
    return RecordedTable(kind, wanted, [folds[label] for label in sorted(folds, key=_number)])


def _is_of_fold(label: str) -> bool:
    first, _, rest = label.partition("/")
    return bool(rest) and first.startswith("fold-") and first.removeprefix("fold-").isdigit()


def _number(label: str) -> int:
    return int(label.partition("/")[0].removeprefix("fold-"))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _library(name: str, verb: str) -> Any:  # noqa: ANN401 - a module that may be missing
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ImportError(f"`{verb}` needs {package}, which is not installed", name=package) from error
