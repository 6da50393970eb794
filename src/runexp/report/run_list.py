"""The runs there are as a table: a row a run, columns as they fit the width, or a block a run where they do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from math import isfinite, isnan
from typing import Any

from rich.text import Text

from runexp.report.characters import columns as drawn_width
from runexp.report.page import to_text
from runexp.report.wording import column, duration, number, plain
from runexp.results.losses import TOTAL, is_rate
from runexp.results.run_record import FACTS, MISSING, RunRecord, steps_of, value_at

STATUS_STYLES = {
    "completed": "green",
    "stopped": "yellow",
    "interrupted": "yellow",
    "killed": "red",
    "failed": "red",
    "running": "cyan",
    "unknown": "magenta",
}
_GAP = "  "
_ALWAYS = ("id", "name", "status")
_MOST_NUMBERS = 6
_LONGEST_CELL = 40
_NUMERIC_FACTS = ("seconds", "epoch", "seed")

Line = list[tuple[str, str]]
"""Pieces of a line, each with its style."""


def render_runs(
    records: Sequence[RunRecord], wanted: Sequence[str], *, console_width: int, color: bool, unicode: bool = True
) -> str:
    """The runs in the order given. `wanted` columns stand beside id, name and status; without any, what fits."""
    if not records:
        return ""
    if wanted:
        names = list(dict.fromkeys((*_ALWAYS, *wanted)))
        table = {name: _cells(name, records) for name in names}
    else:
        table = _fitting(records, console_width)
    are_too_wide = bool(wanted) and _width(table) > console_width
    lines = _stacked(records, table) if are_too_wide else _lines(records, table)
    if not color and unicode:  # rich takes a millisecond a row
        return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)
    page = [Text.assemble(*line, overflow="ignore", no_wrap=True) for line in lines]
    return to_text(page, console_width=max(console_width, _width(table)), color=color, unicode=unicode)


def default_numbers(records: Iterable[RunRecord]) -> list[str]:
    """The final numbers that say most, as `<phase>.<number>`: those of most runs first, of the last phases first."""
    count: dict[str, int] = {}
    judged = [record for record in records if record.metrics]
    for record in judged:
        for phase, numbers in reversed(list(record.metrics.items())):
            for name in _telling(numbers):
                count[f"{phase}.{name}"] = count.get(f"{phase}.{name}", 0) + 1
    return sorted(count, key=lambda name: 2 * count[name] < len(judged))[:_MOST_NUMBERS]


def _telling(numbers: Mapping[str, float]) -> list[str]:
    """Without rates and without losses that only repeat their total."""
    totals = [value for name, value in numbers.items() if name == TOTAL or name.endswith(f"_{TOTAL}")]
    return [
        name
        for name, value in numbers.items()
        if not is_rate(name) and (name == TOTAL or name.endswith(f"_{TOTAL}") or value not in totals)
    ]


def _fitting(records: Sequence[RunRecord], width: int) -> dict[str, list[str]]:
    """What fits, the most telling first; in the order of a reader."""
    numbers = default_numbers(records)
    first, more, rest = numbers[:1], numbers[1:2], numbers[2:]
    tags = ["tags"] if any(record.tags for record in records) else []
    kinds = ["kind"] if any(record.kind != "run" for record in records) else []
    chosen = {name: _cells(name, records) for name in _ALWAYS}
    for name in (*first, *kinds, "started", *more, *tags, "seconds", *rest):
        tried = {**chosen, name: _cells(name, records)}
        if _width(tried) <= width:
            chosen = tried
    order = ["id", "name", "kind", "status", "started", "seconds", *numbers, "tags"]
    return {name: chosen[name] for name in order if name in chosen}


def _cells(name: str, records: Sequence[RunRecord]) -> list[str]:
    """A column as text; numbers with as many decimals each."""
    steps = steps_of(name)
    values = [value_at(record, steps) for record in records]
    if name == "seconds":
        return ["" if value is MISSING else duration(value) for value in values]
    if name in ("started", "ended"):
        return [moment(value) for value in values]
    if all(value is MISSING or isinstance(value, float) for value in values):
        shown = column(None if value is MISSING or isnan(value) else value for value in values)
        return [
            "nan" if isinstance(value, float) and isnan(value) else cell
            for value, cell in zip(values, shown, strict=True)
        ]
    return [cell(value) for value in values]


def cell(value: Any) -> str:  # noqa: ANN401 - any value of a spec
    """A value as one short line; nothing where it is missing."""
    if value is MISSING:
        return ""
    if isinstance(value, float):
        return number(value) if isfinite(value) else str(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(cell, value))
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return plain(value)


def moment(iso: object) -> str:
    """A time in the time zone of this machine, to the minute."""
    try:
        return f"{datetime.fromisoformat(str(iso)).astimezone():%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError):
        return ""


def _width(table: Mapping[str, Sequence[str]]) -> int:
    return sum(_widest(name, cells) for name, cells in table.items()) + len(_GAP) * (len(table) - 1)


def _widest(name: str, cells: Sequence[str]) -> int:
    return max(drawn_width(_head(name)), *(min(drawn_width(text), _LONGEST_CELL) for text in cells))


def _lines(records: Sequence[RunRecord], table: Mapping[str, Sequence[str]]) -> Iterator[Line]:
    widths = {name: _widest(name, cells) for name, cells in table.items()}
    to_right = {name: _is_numeric(name, cells) for name, cells in table.items()}
    heads = [_padded(_head(name), widths[name], to_right=to_right[name]) for name in table]
    yield [(_GAP.join(heads).rstrip(), "dim")]
    for index, record in enumerate(records):
        cells = {name: _clipped(column_of[index]) for name, column_of in table.items()}
        yield [
            (_padded(text, widths[name], to_right=to_right[name]) + _GAP, _style(name, record))
            for name, text in cells.items()
        ]


def _stacked(records: Sequence[RunRecord], table: Mapping[str, Sequence[str]]) -> Iterator[Line]:
    """A block a run: its id, and below it a line a column."""
    shown = [name for name in table if name not in _ALWAYS]
    label = max(drawn_width(_head(name)) for name in shown)
    for index, record in enumerate(records):
        yield [(record.id, "bold"), (f"  {plain(record.name)}  ", ""), (record.status, _style("status", record))]
        for name in shown:
            if table[name][index]:
                yield [(f"  {_padded(_head(name), label, to_right=False)}  {table[name][index]}", "")]


def _style(name: str, record: RunRecord) -> str:
    if name == "status":
        return STATUS_STYLES.get(record.status, "")
    return "bold" if name == "name" else ""


def _head(name: str) -> str:
    return "took" if name == "seconds" else plain(name)


def _is_numeric(name: str, cells: Sequence[str]) -> bool:
    if name in FACTS and name not in _NUMERIC_FACTS:
        return False
    return any(cells) and all(not text or text == "nan" or text.lstrip("-")[:1].isdigit() for text in cells)


def _clipped(text: str) -> str:
    return text if drawn_width(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"


def _padded(text: str, width: int, *, to_right: bool) -> str:
    blanks = " " * (width - drawn_width(text))
    return blanks + text if to_right else text + blanks
