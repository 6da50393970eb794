"""Final numbers as a table: a row for every split that a phase measured, a column for every number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isclose

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from runexp.report.page import named, styled
from runexp.report.wording import column, plain
from runexp.results.losses import TOTAL, is_rate
from runexp.results.phases import PhaseResults, TrainResults
from runexp.results.run import RunResults

_GAP = 2


@dataclass(frozen=True, slots=True)
class Measured:
    """What one phase measured on one split, by names without the prefix of the split."""

    phase: str
    split: str
    numbers: Mapping[str, float]


def numbers_of(results: RunResults, width: int) -> list[list[RenderableType]]:
    """The table; where it does not fit the width, a block for each of its rows. Nothing without numbers."""
    rows = measured(results)
    names = telling(rows)
    if not rows:
        return []
    columns = {name: column(row.numbers.get(name) for row in rows) for name in names}
    if _width(rows, columns) <= width:
        return [[_table(rows, columns)]]
    return [list(_stacked(rows, columns))]


def measured(results: RunResults) -> list[Measured]:
    """What every phase measured, a row for each split it did on."""
    return [row for phase in results.results.flatten().values() for row in _rows(phase)]


def _rows(phase: PhaseResults) -> Iterator[Measured]:
    if not isinstance(phase, TrainResults):
        if phase.numbers:
            yield Measured(phase.label, phase.split, phase.numbers)
        return
    left = {name: value for name, value in phase.numbers.items() if not is_rate(name)}
    evaluated: dict[str, dict[str, float]] = {}
    for event in phase.evaluations:
        prefix = _prefix(tuple(event.metrics), (event.split, event.callback))
        there = {name.removeprefix(prefix): left.pop(name) for name in event.metrics if name in left}
        evaluated.setdefault(event.split if prefix else f"{event.split} ({event.callback})", {}).update(there)
    own = {name.removeprefix("train_"): value for name, value in left.items()}
    for split, numbers in {phase.split: own, **_without(evaluated, phase.split, own)}.items():
        if numbers:
            yield Measured(phase.label, split, numbers)


def _without(evaluated: dict[str, dict[str, float]], split: str, own: dict[str, float]) -> dict[str, dict[str, float]]:
    """The evaluations; one on the trained split gets a row of its own, for it came after the epoch."""
    return {f"{name} (evaluated)" if name == split and own else name: found for name, found in evaluated.items()}


def _prefix(names: tuple[str, ...], owners: tuple[str, ...]) -> str:
    for owner in owners:
        if names and all(name.startswith(f"{owner}_") for name in names):
            return f"{owner}_"
    return ""


def telling(rows: list[Measured]) -> list[str]:
    """The names in order of appearance, the total first; a loss that only repeats the total is left out."""
    names = list(dict.fromkeys(name for row in rows for name in row.numbers))
    names.sort(key=lambda name: name != TOTAL)
    return [name for name in names if name == TOTAL or not all(_repeats(row.numbers, name) for row in rows)]


def _repeats(numbers: Mapping[str, float], name: str) -> bool:
    if name not in numbers:
        return True
    return TOTAL in numbers and isclose(numbers[name], numbers[TOTAL], rel_tol=1e-9)


def _width(rows: list[Measured], columns: Mapping[str, list[str]]) -> int:
    cells = [["phase", *(row.phase for row in rows)], ["split", *(row.split for row in rows)]]
    cells += [[name, *column] for name, column in columns.items()]
    return sum(max(len(plain(cell)) for cell in each) for each in cells) + _GAP * (len(cells) - 1)


def _table(rows: list[Measured], columns: Mapping[str, list[str]]) -> Table:
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim")
    for name in ("phase", "split"):
        table.add_column(name, overflow="fold")
    for name in columns:
        table.add_column(Text(plain(name)), justify="right", no_wrap=True)
    previous = ""
    for index, row in enumerate(rows):
        label = "" if row.phase == previous else row.phase
        numbers = [column[index] for column in columns.values()]
        table.add_row(styled(named(label)), plain_text(row.split), *numbers)
        previous = row.phase
    return table


def plain_text(text: str) -> Text:
    """User text as a cell."""
    return Text(plain(text), overflow="fold")


def _stacked(rows: list[Measured], columns: Mapping[str, list[str]]) -> Iterator[RenderableType]:
    widest = max(len(plain(name)) for name in columns)
    longest = max(len(cell) for column in columns.values() for cell in column)
    for index, row in enumerate(rows):
        yield styled(named(row.phase), f" on {plain(row.split)}")
        for name in columns:
            if columns[name][index]:
                yield styled(f"  {plain(name):{widest}}  {columns[name][index]:>{longest}}")
