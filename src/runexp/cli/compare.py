"""`runexp compare`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runexp.cli.options import Format, NoColor, Runs
from runexp.cli.references import RunReferences, require_runs
from runexp.cli.screen import can_draw, say, wants_color, width

if TYPE_CHECKING:  # imported by the functions, to start fast
    from runexp.api.opening import StoredRun
    from runexp.report.fold_comparison import FoldsAgainst
    from runexp.results.comparison import Comparison, Row

Form = Annotated[Format, typer.Option("--format", help="text or json.")]
Only = Annotated[bool, typer.Option("--only-differences", help="Leave out what is the same.")]


def compare(
    references: RunReferences,
    *,
    only_differences: Only = False,
    runs: Runs = Path("runs"),
    form: Form = Format.TEXT,
    no_color: NoColor = False,
) -> None:
    """Show runs side by side: what differs in spec, environment and data, their numbers, their curves.

    Cross-validations on the same folds are compared fold by fold too, each with the first. A sweep stands for its best
    trial.
    """
    folders = _standing_for(require_runs(runs, references))
    if len(folders) < 2:
        say("error: a comparison needs two runs or more; `runexp show RUN` shows one")
        raise typer.Exit(2)
    from runexp.api.opening import StoredRun
    from runexp.results.comparison import compare as compare_records

    opened = [StoredRun(folder) for folder in folders]
    found = compare_records([run.record for run in opened])
    curves = _curves(opened)
    folds = list(_folds(opened))
    if form is Format.JSON:
        told = _as_json(found, curves, only_differences) | {"folds": _folds_as_json(found, folds)}
        print(json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False))
        return
    from runexp.report.comparison import render_comparison

    color = wants_color(sys.stdout, no_color=no_color)
    page = render_comparison(
        found,
        curves,
        console_width=width(),
        color=color,
        unicode=can_draw(sys.stdout),
        only_differences=only_differences,
        folds=folds,
    )
    sys.stdout.write(page)


def _standing_for(folders: Sequence[Path]) -> list[Path]:
    """The best trial in the place of each sweep; leaves with 2 where one has none."""
    from runexp.api.stored_sweep import NoTrials, standing_for

    try:
        return [standing_for(folder) for folder in folders]
    except NoTrials as reason:
        say(f"error: {reason}")
        raise typer.Exit(2) from None


def _folds(opened: Sequence[StoredRun]) -> Iterator[FoldsAgainst]:
    """Each other run against the first, where both are cross-validations."""
    from runexp.report.fold_comparison import FoldsAgainst
    from runexp.results.paired import NotComparable

    first = opened[0].results.cv
    for index, run in enumerate(opened[1:], 1):
        cv = run.results.cv
        if first is None or cv is None:
            continue
        try:
            yield FoldsAgainst(index, numbers=cv.compare_all(first))
        except NotComparable as reason:
            yield FoldsAgainst(index, str(reason))


def _folds_as_json(found: Comparison, folds: Sequence[FoldsAgainst]) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from runexp.results.run_record import jsonable

    return [
        {
            "run": found.runs[each.index].id,
            "against": found.runs[0].id,
            "reason": each.reason,
            "numbers": jsonable({address: asdict(one) for address, one in each.numbers.items()}),
        }
        for each in folds
    ]


def _curves(opened: Sequence[StoredRun]) -> dict[str, list[list[float]]]:
    """By phase and number, what each run has of it, in the order of the runs; of folds the mean."""
    told = [
        {f"{phase}.{name}": values for phase, curves in _curves_of(run).items() for name, values in curves.items()}
        for run in opened
    ]
    return {
        name: [each.get(name, []) for each in told] for name in dict.fromkeys(name for each in told for name in each)
    }


def _curves_of(run: StoredRun) -> dict[str, dict[str, list[float]]]:
    from runexp.report.curves import curve_values, mean_curves
    from runexp.results.phases import TrainResults

    if run.results.cv is not None:
        return mean_curves(run.results.cv)
    phases = run.results.results.flatten().values()
    return {phase.label: curve_values(phase) for phase in phases if isinstance(phase, TrainResults)}


def _as_json(found: Comparison, curves: dict[str, list[list[float]]], only_differences: bool) -> dict[str, Any]:
    from runexp.results.run_record import as_json, jsonable

    metrics = [row for row in found.metrics if not only_differences or not row.is_same]
    return {
        "version": 1,
        "runs": [as_json(run) for run in found.runs],
        "spec": _rows(found.spec),
        "environment": _rows(found.environment),
        "data": _rows(found.data),
        "metrics": _rows(metrics),
        "curves": jsonable(curves),
    }


def _rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Each address with the value of every run; `has` tells null from nothing there."""
    from runexp.results.run_record import MISSING, jsonable

    return [
        {
            "address": row.address,
            "values": [None if value is MISSING else jsonable(value) for value in row.values],
            "has": [value is not MISSING for value in row.values],
        }
        for row in rows
    ]
