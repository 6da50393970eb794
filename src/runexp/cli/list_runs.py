"""`runexp list`."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runexp.cli.completion import complete_status
from runexp.cli.options import NoColor, Runs
from runexp.cli.screen import say, wants_color, width

if TYPE_CHECKING:  # imported by the functions, to start fast
    from runexp.results.run_record import RunRecord
    from runexp.results.selection import Query

_MOST_ROWS = 50
_FEW = ("id", "name", "status", "started", "seconds", "tags")


class ListForm(StrEnum):
    """How the list is written."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


Where = Annotated[
    str, typer.Option("--where", "-w", metavar="CONDITION", help='Such as "test.accuracy > 0.9 and vars.lr < 0.1".')
]
Sort = Annotated[str, typer.Option("--sort", metavar="PATH", help="A number or value; -PATH: the largest first.")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--columns", "-c", metavar="PATH,…", help="Numbers, values of the spec, facts; repeatable."),
]
Statuses = Annotated[
    list[str] | None,
    typer.Option("--status", metavar="STATUS", help="Only these; repeatable.", autocompletion=complete_status),
]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="Only with this tag; repeatable.")]
Limit = Annotated[
    int | None, typer.Option("--limit", "-n", min=0, help=f"At most so many; 0: all. Text shows {_MOST_ROWS}.")
]
Form = Annotated[ListForm, typer.Option("--format", help="text, json or csv.")]


def list_runs(
    *,
    where: Where = "",
    sort: Sort = "",
    columns: Columns = None,
    status: Statuses = None,
    tag: Tags = None,
    limit: Limit = None,
    runs: Runs = Path("runs"),
    form: Form = ListForm.TEXT,
    no_color: NoColor = False,
) -> None:
    """The runs there are, the newest first: filtered, sorted, with any number or value of the spec as a column.

    A path is a fact (id, name, status, started, seconds, tags, seed, …), PHASE.NUMBER, summary.NUMBER, an address of
    the spec (vars.lr) or lock.…; operators are = != < <= > >= ~ (holds the text) in [a, b] and or not ( ).
    """
    from runexp.results.selection import Query

    query = Query(
        where=where,
        sort=sort,
        columns=tuple(name.strip() for given in columns or () for name in given.split(",") if name.strip()),
        status=_statuses(status or []),
        tags=tuple(tag or ()),
    )
    found, n_runs = _found(runs, query)
    most = limit if limit is not None else (_MOST_ROWS if form is ListForm.TEXT else 0)
    shown = found[:most] if most else found
    if form is ListForm.JSON:
        _write_json(shown, query)
    elif form is ListForm.CSV:
        _write_csv(shown, query)
    else:
        _show(shown, query, color=wants_color(sys.stdout, no_color=no_color))
        _say_how_many(len(shown), len(found), n_runs, runs)


def _statuses(given: list[str]) -> tuple[str, ...]:
    from runexp.diagnostics import did_you_mean
    from runexp.results.run_record import STATES

    for status in given:
        if status not in STATES:
            say(f"error: no run can be `{status}`; {did_you_mean(status, STATES, kind='statuses')}")
            raise typer.Exit(2)
    return tuple(given)


def _found(runs: Path, query: Query) -> tuple[list[RunRecord], int]:
    """The runs asked for, and how many there are in all; leaves with 2 where the question cannot be understood."""
    from runexp.results.selection import SelectionError, needs_specs, select
    from runexp.store.index import list_records

    try:
        records = list_records(runs)
        if needs_specs(query, records):
            from runexp.store.run_spec import read_spec

            records = list_records(runs, read_spec=read_spec)
        return select(query, records), len(records)
    except SelectionError as error:
        from runexp.report.conditions import render_mistakes

        sys.stderr.write(render_mistakes(error.mistakes))
        raise typer.Exit(2) from None


def _show(shown: Sequence[RunRecord], query: Query, *, color: bool) -> None:
    from runexp.report.run_list import render_runs

    sys.stdout.write(render_runs(shown, _wanted(query), console_width=width(), color=color))


def _wanted(query: Query) -> list[str]:
    """The columns asked for, and what the runs are sorted by."""
    key = query.sort.removeprefix("-")
    return list(dict.fromkeys([*query.columns, *([key] if key else [])]))


def _say_how_many(n_shown: int, n_found: int, n_runs: int, runs: Path) -> None:
    if not n_runs:
        say(f"there are no runs in {runs}")
    elif not n_found:
        say(f"none of {n_runs:,} runs in {runs} is like that")
    elif n_shown < n_found:
        say(f"{n_shown:,} of {n_found:,} runs; --limit 0 shows all")


def _write_json(shown: Sequence[RunRecord], query: Query) -> None:
    from runexp.results.run_record import as_json, json_value_at

    wanted = _wanted(query)
    rows = [
        as_json(record) | ({"columns": {name: json_value_at(record, name) for name in wanted}} if wanted else {})
        for record in shown
    ]
    print(json.dumps({"version": 1, "runs": rows}, indent=1, ensure_ascii=False, allow_nan=False))


def _write_csv(shown: Sequence[RunRecord], query: Query) -> None:
    from runexp.results.run_record import json_value_at

    numbers = dict.fromkeys(
        f"{phase}.{name}" for record in shown for phase in record.metrics for name in record.metrics[phase]
    )
    wanted = list(dict.fromkeys((*_FEW, *(_wanted(query) or numbers))))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(wanted)
    for record in shown:
        writer.writerow([_csv_cell(json_value_at(record, name)) for name in wanted])


def _csv_cell(value: object) -> object:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else value
