"""A source that is an Arrow table in memory, however it came there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from runexp.plan.data import SourcePlan
from runexp.plan.values import Origin
from runexp.runtime.data.arrow import UnequalRowsError, UnreadableTextError, to_column
from runexp.runtime.data.problems import first_line, shown, wrong
from runexp.runtime.data.table import Column


def row_number(row: int) -> str:
    """Where a row stands, in a source without lines."""
    return f"row {row}"


@dataclass(frozen=True, slots=True, eq=False)
class TableSource:
    """Columns of an Arrow table; `where` tells the place of a row."""

    label: str
    table: Any
    fingerprint: str
    where: Callable[[int], str] = row_number

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.table.column_names)

    @property
    def n_rows(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str, origin: Origin) -> Column:
        what = f"column {shown(name)} of {shown(self.label)}"
        try:
            return to_column(name, self.table.column(name), empty_is_missing=False)
        except UnequalRowsError as error:
            raise wrong(origin, "ragged-shape", f"{what} holds {error} in {self.place(error.row)}") from error
        except UnreadableTextError as error:
            raise wrong(origin, "unreadable-file", f"{what} holds {error} in {self.place(error.row)}") from error
        except (pa.ArrowException, ValueError, LookupError) as error:
            raise wrong(origin, "unreadable-file", f"{what} cannot be read: {first_line(error)}") from error

    def place(self, row: int) -> str:
        return self.where(row)


def checked_table(plan: SourcePlan, source: TableSource) -> TableSource:
    """The source, if it has rows and no column twice; else `SpecError`."""
    names = source.names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise wrong(plan.origin, "duplicate-column", f"{shown(source.label)} has column {shown(twice)} twice")
    if source.n_rows == 0 or not names:
        raise wrong(plan.origin, "empty-source", f"{shown(source.label)} has no rows")
    return source
