"""What a table on disk holds, column by column, before anyone has said what it is for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runexp.diagnostics import Diagnostic, Span, SpecError
from runexp.plan.data import SourcePlan
from runexp.plan.values import Origin
from runexp.runtime.data.checks import check_finite, check_numeric, check_present, is_spoilt_number
from runexp.runtime.data.delimited import open_delimited
from runexp.runtime.data.parquet import open_parquet
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.table import Array, Column, Kind, Source

_DELIMITED = frozenset({".csv", ".tsv", ".gz"})
_PARQUET = frozenset({".parquet", ".pq"})
_MOST_VALUES = 64


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """One column: what it holds, and what stands in the way of feeding it or learning it.

    `values` are the distinct ones as text, with `counts` beside them, where there are at most 64.
    """

    name: str
    kind: Kind
    n_distinct: int
    n_missing: int
    values: tuple[str, ...]
    counts: tuple[int, ...]
    is_whole: bool
    is_unique: bool
    least: float
    largest: float
    as_feature: Diagnostic | None
    as_target: Diagnostic | None


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table: its name, its rows, its columns in order."""

    label: str
    n_rows: int
    columns: tuple[ColumnFacts, ...]


def inspect_table(path: Path) -> TableFacts:
    """Read a table whole and describe it; `SpecError` at the file where it cannot be read."""
    origin = Origin("", Span(str(path), 1, 1, 1, 1))
    source = _opened(path, origin)
    return TableFacts(source.label, source.n_rows, tuple(_described(source, origin)))


def _opened(path: Path, origin: Origin) -> Source:
    suffix = path.suffix.lower()
    plan = SourcePlan("parquet" if suffix in _PARQUET else "csv", str(path), None, origin)
    if suffix in _PARQUET:
        return open_parquet(plan, Path())
    if suffix in _DELIMITED:
        return open_delimited(plan, Path())
    hint = "a table is a .csv, .tsv (also .gz) or .parquet file"
    raise wrong(origin, "unknown-source", f"{shown(path.name)} is no table that runexp reads", hint=hint)


def _described(source: Source, origin: Origin) -> Iterator[ColumnFacts]:
    for name in source.names:
        try:
            yield _facts(source.column(name, origin), source, origin)
        except SpecError as error:
            broken = error.diagnostics[0]
            yield ColumnFacts(name, "other", 0, 0, (), (), False, False, 0.0, 0.0, broken, broken)


def _facts(column: Column, source: Source, origin: Origin) -> ColumnFacts:
    present = column.values if column.missing is None else column.values[~column.missing]
    values, counts = _distinct(column, present)
    is_listed = len(values) <= _MOST_VALUES
    is_number = column.is_numeric and present.size > 0
    doubtful = check_present(column, source, origin) or check_finite(column, source, origin)
    numeric = _one_value_a_row(column, origin) or check_numeric(column, source, origin)
    is_class = column.kind == "text" and column.values.ndim == 1 and not is_spoilt_number(column)
    return ColumnFacts(
        name=column.name,
        kind=column.kind,
        n_distinct=len(values),
        n_missing=column.n_missing,
        values=tuple(_label(value) for value in values.tolist()) if is_listed else (),
        counts=tuple(counts.tolist()) if is_listed else (),
        is_whole=bool(is_number and np.all(present == np.floor(present))),
        is_unique=len(values) == source.n_rows,
        least=float(present.min()) if is_number else 0.0,
        largest=float(present.max()) if is_number else 0.0,
        as_feature=numeric or doubtful,
        as_target=doubtful if is_class else numeric or doubtful,
    )


def _distinct(column: Column, present: Array) -> tuple[Array, Array]:
    if column.kind == "other" or present.ndim != 1:
        return np.empty(0), np.empty(0, dtype=np.int64)
    values, counts = np.unique(present, return_counts=True)
    return values, counts


def _one_value_a_row(column: Column, origin: Origin) -> Diagnostic | None:
    if column.values.ndim == 1:
        return None
    return wrong(origin, "ragged-shape", f"column {shown(column.name)} has several values a row").diagnostics[0]


def _label(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
