"""Runs side by side on a terminal: what differs, their numbers with differences, their curves above each other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import isfinite
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from runexp.report.fold_comparison import FoldsAgainst, folds_against
from runexp.report.page import indented, styled, to_text
from runexp.report.run_list import STATUS_STYLES, cell, moment
from runexp.report.wording import column, duration, number, plain, sparkline
from runexp.results.comparison import Comparison, Row
from runexp.results.run_record import MISSING, RunRecord

Curves = Mapping[str, Sequence[Sequence[float]]]
"""By `<phase>.<number>`: the values of each run by epoch, in the order of the runs; empty where one has none."""

_GAP = 2
_ABSENT = "·"
_WIDEST_CURVE = 60
_NARROWEST_CURVE = 8
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def render_comparison(
    found: Comparison,
    curves: Curves,
    *,
    console_width: int,
    color: bool,
    unicode: bool = True,
    only_differences: bool = False,
    folds: Sequence[FoldsAgainst] = (),
) -> str:
    """The page: a letter for each run, then spec, environment, data, numbers, folds and curves."""
    letters = [_letter(index) for index in range(len(found.runs))]
    blocks = [[_run(letter, run) for letter, run in zip(letters, found.runs, strict=True)]]
    for title, rows in (("spec", found.spec), ("environment", found.environment), ("data", found.data)):
        if rows or not only_differences:
            blocks.append(list(_differences(title, rows, letters, console_width)))
    metrics = [row for row in found.metrics if not only_differences or not row.is_same]
    blocks.append(list(_numbers(metrics, letters, console_width)))
    blocks.append(list(folds_against(folds, letters, console_width)))
    shown = {name: lines for name, lines in curves.items() if not only_differences or _differ(lines)}
    blocks += [list(_curves(name, lines, letters, console_width)) for name, lines in shown.items()]
    parts = [part for block in blocks if block for part in ("", *block)]
    return to_text(parts[1:], console_width=console_width, color=color, unicode=unicode)


def _letter(index: int) -> str:
    return _LETTERS[index] if index < len(_LETTERS) else str(index + 1)


def _run(letter: str, run: RunRecord) -> RenderableType:
    took = f" in {duration(run.seconds)}" if run.seconds is not None else ""
    around = ", ".join(text for text in (moment(run.started), *run.tags) if text)
    status = (run.status, STATUS_STYLES.get(run.status, ""))
    return styled(
        (letter, "bold"), "  ", (plain(f"{run.name}/{run.id}"), ""), "  ", status, took, (f"  {around}", "dim")
    )


def _differences(title: str, rows: Sequence[Row], letters: Sequence[str], width: int) -> Iterator[RenderableType]:
    """A line an address with a column a run; where that is too narrow, a block an address."""
    if not rows:
        yield styled((title, "bold"), "  ", ("the same", "dim"))
        return
    yield styled((title, "bold"))
    cells = [(row.address, [_value(value) for value in row.values]) for row in rows]
    if _fits([[name, *values] for name, values in cells], letters, width):
        yield _table([(name, values) for name, values in cells], ["", *letters], numeric=False)
        return
    for name, values in cells:
        yield indented(styled(plain(name)))
        held: dict[str, list[str]] = {}
        for letter, value in zip(letters, values, strict=True):
            held.setdefault(value, []).append(letter)
        told = [(" ".join(by), value) for value, by in held.items()]
        if sum(len(by) + len(value) + 4 for by, value in told) + 4 > width:
            for by, value in told:
                yield indented(Text.assemble((by, "bold"), f"  {value}", overflow="fold"), 4)
            continue
        pieces = [piece for by, value in told for piece in ((by, "bold"), f" {value}   ")]
        yield indented(Text.assemble(*pieces, overflow="fold"), 4)


def _value(value: Any) -> str:  # noqa: ANN401 - any value of a spec
    if value is MISSING:
        return _ABSENT
    if isinstance(value, (list, Mapping)):
        return plain(json.dumps(value, ensure_ascii=False))
    return f"'{value}'" if value == "" else cell(value)


def _numbers(rows: Sequence[Row], letters: Sequence[str], width: int) -> Iterator[RenderableType]:
    """The final numbers; beside each run but the first, how far it is from the first."""
    if not rows:
        return
    yield styled(("numbers", "bold"))
    heads = ["", letters[0], *chain.from_iterable((letter, f"{letter} - {letters[0]}") for letter in letters[1:])]
    cells = [(row.address, _number_cells(row)) for row in rows]
    if _fits([[name, *values] for name, values in cells], heads[1:], width):
        yield _table(cells, heads, numeric=True)
        return
    for name, values in cells:
        yield indented(styled(plain(name)))
        pairs = [(values[0], ""), *zip(values[1::2], values[2::2], strict=True)]
        longest = max(len(value) for value, _ in pairs)
        for letter, (value, far) in zip(letters, pairs, strict=True):
            yield indented(styled((f"{letter}  ", "bold"), f"{value:>{longest}}  ", (far, "dim")), 4)


def _number_cells(row: Row) -> list[str]:
    """The first value, then each other one with its distance from the first."""
    values = [None if value is MISSING else value for value in row.values]
    shown = [text or _ABSENT for text in column(values)]
    far = [_distance(values[0], value) for value in values[1:]]
    return [shown[0], *chain.from_iterable(zip(shown[1:], far, strict=True))]


def _distance(first: float | None, value: float | None) -> str:
    """`+0.012 (+1.3 %)`; nothing where one is missing or not finite."""
    if first is None or value is None or not isfinite(first) or not isfinite(value):
        return ""
    if value == first:
        return "="
    share = f" ({(value - first) / abs(first):+.1%})" if first and abs(value - first) < 100 * abs(first) else ""
    return f"{value - first:+.4g}{share.replace('%', ' %')}"


def _fits(rows: Sequence[Sequence[str]], heads: Sequence[str], width: int) -> bool:
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, cells)) for cells in columns]
    widths = [max(own, len(head)) for own, head in zip(widths, ["", *heads], strict=True)]
    return _GAP + sum(widths) + _GAP * (len(widths) - 1) <= width


def _table(rows: Sequence[tuple[str, Sequence[str]]], heads: Sequence[str], *, numeric: bool) -> RenderableType:
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for index, head in enumerate(heads):
        style = "dim" if " - " in head else ""
        table.add_column(head, justify="right" if numeric and index else "left", no_wrap=True, style=style)
    for name, values in rows:
        table.add_row(Text(plain(name)), *(Text(value) for value in values))
    return Padding(table, (0, 0, 0, _GAP))


def _curves(
    name: str, lines: Sequence[Sequence[float]], letters: Sequence[str], width: int
) -> Iterator[RenderableType]:
    """A line a run, all on one scale and one length of epochs."""
    levels = [value for values in lines for value in values if isfinite(value)]
    if not levels:
        return
    yield styled((plain(name), "bold"))
    longest = max(len(values) for values in lines)
    ends = [f"{number(values[0])} → {number(values[-1])}" if values else _ABSENT for values in lines]
    room = min(_WIDEST_CURVE, longest, width - _GAP - 3 - _GAP - max(map(len, ends)))
    for letter, values, end in zip(letters, lines, ends, strict=True):
        share = max(1, round(room * len(values) / longest)) if values else 0
        bars = sparkline(values, share, low=min(levels), high=max(levels)) if room >= _NARROWEST_CURVE or share else ""
        pad = " " * max(0, room - len(bars))
        yield indented(styled((f"{letter}  ", "bold"), (bars, "cyan"), pad, "  " if room > 0 else "", end))


def _differ(lines: Sequence[Sequence[float]]) -> bool:
    return any(list(values) != list(lines[0]) for values in lines)
