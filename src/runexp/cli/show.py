"""`runexp show`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runexp.cli.options import Format, NoColor, Runs
from runexp.cli.references import RunReference, require_run
from runexp.cli.screen import can_draw, say, wants_color, width

if TYPE_CHECKING:  # imported by the functions, to start fast
    from runexp.api.opening import StoredRun

Form = Annotated[Format, typer.Option("--format", help="text or json.")]


def show(
    reference: RunReference, *, runs: Runs = Path("runs"), form: Form = Format.TEXT, no_color: NoColor = False
) -> None:
    """Show one run: how it stands, its numbers and curves, checkpoints, environment, data. Runs nothing."""
    folder = require_run(runs, reference)
    from runexp.api.stored_sweep import is_sweep, trial_of

    if is_sweep(folder):
        return _show_sweep(folder, form, no_color=no_color)
    from runexp.api.opening import StoredRun

    run = StoredRun(folder)
    if form is Format.JSON:
        print(json.dumps(_as_json(run), indent=1, ensure_ascii=False, allow_nan=False))
        return
    from runexp.api.lineage import lines_of
    from runexp.report.run_page import RunFacts, render_run

    found = (run.record, run.results, run.checkpoints, run.problems, run.units, run.tables, run.requirements)
    trial = trial_of(folder)
    told = (*((("trial", trial),) if trial else ()), *run.aftermath)
    facts = RunFacts(*found, lines_of(run.lock), told)
    color = wants_color(sys.stdout, no_color=no_color)
    sys.stdout.write(render_run(facts, console_width=width(), color=color, unicode=can_draw(sys.stdout)))


def _show_sweep(folder: Path, form: Format, *, no_color: bool) -> None:
    """The trials of a sweep, or the repeats of a run, as far as they have come."""
    from runexp.api.stored_sweep import NoTrials, around_sweep, require_sweep
    from runexp.cli.sweep import show_sweep
    from runexp.report.trials import render_around

    try:
        results = require_sweep(folder)
    except NoTrials as reason:
        say(str(reason))
        return
    show_sweep(results, form, no_color=no_color)
    if form is Format.TEXT:
        record, told = around_sweep(folder)
        color = wants_color(sys.stdout, no_color=no_color)
        sys.stdout.write(render_around(record, told, console_width=width(), color=color))


def _as_json(run: StoredRun) -> dict[str, Any]:
    import dataclasses

    from runexp.report.run_page import phases_as_json
    from runexp.results.requirements import as_json as requirements_as_json
    from runexp.results.run_record import as_json, jsonable

    return {
        "version": 1,
        **as_json(run.record),
        "phases": phases_as_json(run.results),
        "checkpoints": [dataclasses.asdict(found) for found in run.checkpoints],
        "recorded": [dataclasses.asdict(found) for found in run.tables],
        "warnings": list(run.results.warnings),
        "units": run.units,
        "requirements": requirements_as_json(run.requirements),
        "aftermath": dict(run.aftermath),
        "lock": jsonable(run.lock),
        "spec": jsonable(run.spec),
        "problems": list(run.problems),
    }
