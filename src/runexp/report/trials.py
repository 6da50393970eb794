"""The trials of a sweep on a terminal: a table, the best or the front, what mattered; and a line a trial."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from runexp.report.page import indented, styled, to_text
from runexp.report.run_list import moment
from runexp.report.wording import column, counted, duration, number, plain
from runexp.results.folds import Spread
from runexp.results.losses import is_rate
from runexp.results.run_record import RunRecord
from runexp.results.trials import Importance, SweepResults, Trial, short_names

_MOST_ROWS = 40
_GAP = 2
STYLES = {"completed": "", "pruned": "yellow", "failed": "red", "interrupted": "red", "running": "cyan"}


def render_sweep(results: SweepResults, *, console_width: int = 100, color: bool = False) -> str:
    """All that a sweep, or repeats, found out."""
    return to_text(_parts(results, console_width), console_width=console_width, color=color)


def render_around(record: RunRecord, told: Sequence[tuple[str, str]], *, console_width: int, color: bool) -> str:
    """Where and when the trials ran, and what else is `told` of all of them."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    took = f", {duration(record.seconds)}" if record.seconds is not None else ""
    on = f" on {record.host}" if record.host else ""
    pairs = [
        ("folder", str(record.folder)),
        ("when", f"{moment(record.started)}{took}{on}" if record.started else ""),
        ("tags", ", ".join(record.tags)),
        ("note", record.note),
        *told,
    ]
    for label, said in pairs:
        if said:
            table.add_row(label, Text(plain(said), overflow="fold"))
    return "\n" + to_text([table], console_width=console_width, color=color)


def trial_line(trial: Trial, addresses: Sequence[str], *, note: str = "") -> str:
    """One trial in a line: how it ended, the numbers asked for, what it changed, how long it took."""
    numbers = " ".join(f"{name} {number(trial.metrics[name])}" for name in addresses if name in trial.metrics)
    short = short_names(trial.changes)
    changes = " ".join(f"{short[name]}={shown(value)}" for name, value in trial.changes.items())
    took = duration(trial.seconds) if trial.seconds is not None else ""
    parts = [f"trial {trial.number}", trial.status, numbers, changes, took, note, plain(trial.error)]
    return "  ".join(part for part in parts if part)


def shown(value: Any) -> str:  # noqa: ANN401 - any value of a spec
    """A value as a person reads it."""
    if isinstance(value, bool) or not isinstance(value, float):
        return plain(str(value).lower() if isinstance(value, bool) or value is None else value)
    return number(value)


def _parts(results: SweepResults, width: int) -> Iterator[RenderableType]:
    ended = [trial for trial in results.trials if trial.status != "running"]
    counts = {status: sum(trial.status == status for trial in ended) for status in STYLES}
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    yield styled((plain(results.name), "bold"), f"  {results.status}  {counted(len(ended), 'trial')}: {told or 'none'}")
    yield Text("")
    yield from _table(results, ended, width)
    if not results.objectives:
        yield from _spreads(results)
        return
    yield Text("")
    yield from _conclusion(results)
    yield from _importance(results.importance)


def _table(results: SweepResults, ended: Sequence[Trial], width: int) -> Iterator[RenderableType]:
    trials = _most_telling(results, ended)
    judged = [one.address for one in results.objectives] or final_numbers(results)
    short = short_names(results.addresses)
    columns: dict[str, list[str]] = {
        "trial": [str(trial.number) for trial in trials],
        "status": [str(trial.status) for trial in trials],
        **{name: column(trial.metrics.get(name) for trial in trials) for name in judged},
        **{short[name]: _changes(trials, name) for name in results.addresses},
    }
    if _breadth(columns) <= width:
        yield _drawn(trials, columns)
    else:
        yield from _stacked(trials, columns, len(judged) + 2, width)
    if len(trials) < len(ended):
        yield styled((f"the {len(trials)} best of {len(ended)} trials; `sweep.json` has all", "dim"))


def _breadth(columns: Mapping[str, Sequence[str]]) -> int:
    return sum(max(len(plain(name)), *map(len, cells), 0) + _GAP for name, cells in columns.items())


def _stacked(
    trials: Sequence[Trial], columns: Mapping[str, Sequence[str]], n_first: int, width: int
) -> Iterator[RenderableType]:
    """A narrow table: what a trial gave in a line, and below it what it changed."""
    names = list(columns)
    first = {name: columns[name] for name in names[:n_first]}
    while len(first) > 3 and _breadth(first) > width:  # of several objectives as many as fit
        first.popitem()
    widths = {name: max(len(plain(name)), *map(len, cells), 0) for name, cells in first.items()}
    heads = (plain(name).ljust(widths[name]) if name == "status" else plain(name).rjust(widths[name]) for name in first)
    yield Text("  ".join(heads), style="dim")
    for index, trial in enumerate(trials):
        told = "  ".join(
            cells[index].ljust(widths[name]) if name == "status" else cells[index].rjust(widths[name])
            for name, cells in first.items()
        )
        rest = [f"{plain(name)}={columns[name][index]}" for name in names if name not in first and columns[name][index]]
        yield Text(told, style=STYLES[trial.status])
        if rest:
            yield indented(Text("  ".join(rest), style="dim"), 7)


def _most_telling(results: SweepResults, ended: Sequence[Trial]) -> Sequence[Trial]:
    """All trials, or, of too many, the best by the first objective in order."""
    if len(ended) <= _MOST_ROWS or not results.objectives:
        return ended
    sign = -1.0 if results.objectives[0].mode == "max" else 1.0
    return sorted(results.completed, key=lambda trial: sign * trial.values[0])[:_MOST_ROWS]


def _drawn(trials: Sequence[Trial], columns: Mapping[str, Sequence[str]]) -> Table:
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim")
    for name in columns:
        table.add_column(Text(plain(name)), justify="left" if name == "status" else "right", no_wrap=True)
    for index, trial in enumerate(trials):
        table.add_row(*(Text(cells[index]) for cells in columns.values()), style=STYLES[trial.status])
    return table


def _changes(trials: Sequence[Trial], name: str) -> list[str]:
    """What trials changed at an address; of dotted names that differ in their last part, that part."""
    cells = [shown(trial.changes[name]) if name in trial.changes else "" for trial in trials]
    last = [cell.rpartition(".")[2] for cell in cells]
    are_dotted = all(re.fullmatch(r"([A-Za-z_]\w*\.)+[A-Za-z_]\w*", cell) for cell in cells if cell)
    return last if are_dotted and len(set(last)) == len(set(cells)) else cells


def final_numbers(results: SweepResults) -> list[str]:
    """The totals first in each phase; a loss that only repeats another number of its phase is left out."""
    names = dict.fromkeys(name for trial in results.completed for name in trial.metrics)
    found: dict[tuple[str, tuple[float | None, ...]], str] = {}
    for name in sorted(names, key=lambda name: (list(_phases(names)).index(_phase(name)), not name.endswith("loss"))):
        values = tuple(trial.metrics.get(name) for trial in results.completed)
        if not is_rate(name.rpartition(".")[2]):
            found.setdefault((_phase(name), values), name)
    return list(found.values())


def _phases(names: Iterable[str]) -> Mapping[str, None]:
    return dict.fromkeys(_phase(name) for name in names)


def _phase(name: str) -> str:
    return name.rpartition(".")[0]


def _conclusion(results: SweepResults) -> Iterator[RenderableType]:
    """The best trial, or those that none beats in every objective; and what trials failed of."""
    judged = [one.address for one in results.objectives]
    best = (results.best,) if len(judged) == 1 else results.front
    word = "best" if len(judged) == 1 else "front"
    for trial in best:
        if trial is not None:
            yield styled((f"{word}  ", "bold"), trial_line(trial, judged))
            yield styled((f"      trials/{trial.id}", "dim"))
    for trial in results.trials:
        if trial.status == "failed":
            yield styled((f"trial {trial.number} failed", "red"), f": {plain(trial.error)}")


def _importance(importance: Importance | None) -> Iterator[RenderableType]:
    for address, shares in (importance.shares if importance else {}).items():
        short = short_names(shares)
        told = " · ".join(f"{plain(short[name])} {share:.2f}" for name, share in shares.items())
        evaluator = importance.evaluator if importance else ""
        yield styled(("importance  ", "bold"), f"for {plain(address)}: {told}", (f"  ({evaluator})", "dim"))


def _spreads(results: SweepResults) -> Iterator[RenderableType]:
    """Mean, spread and interval of every final number."""
    names = final_numbers(results)
    if not names:
        return
    yield Text("")
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("")
    for head in ("mean", "std", "95 % from", "95 % to"):
        table.add_column(head, justify="right")
    for name in names:
        table.add_row(Text(plain(name)), *_row(results.spread(name)))
    yield table


def _row(spread: Spread) -> list[str]:
    return ["" if value is None else number(value) for value in (spread.mean, spread.std, spread.low, spread.high)]
