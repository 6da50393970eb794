"""`runexp reproduce`."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runexp.cli.checked import leave_with
from runexp.cli.options import AllowImport, Format, NoColor, Quiet, RunDir, Runs, Verbose
from runexp.cli.references import RunReference, require_run
from runexp.cli.screen import say, say_on_terminal, show_diagnostics, wants_color, width
from runexp.cli.trust import trusted
from runexp.cli.watching import progress_sinks, show_failure, stop_on_signals, writing_a_run
from runexp.diagnostics import SpecError

if TYPE_CHECKING:  # these import torch
    from runexp.api.checking import Checked
    from runexp.api.opening import StoredRun
    from runexp.api.running import Place, Run
    from runexp.results.agreement import Agreement

Tolerance = Annotated[
    float, typer.Option("--tolerance", min=0, help="How far apart numbers may be, as a share of the larger one.")
]
Form = Annotated[Format, typer.Option("--format", help="text or json.")]


def reproduce(
    reference: RunReference,
    *,
    tolerance: Tolerance = 1e-5,
    runs: Runs = Path("runs"),
    run_dir: RunDir = None,
    allow_import: AllowImport = None,
    form: Form = Format.TEXT,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Run a run again from its resolved spec, and say whether it came out the same: bit for bit, or within a tolerance.

    Versions and data that differ are told first. Exit code 1 if the numbers differ by more, or the run fails.
    """
    folder = require_run(runs, reference)
    say_on_terminal("importing torch, reading data, building the graph …", quiet=quiet)
    from runexp.api.opening import StoredRun
    from runexp.api.running import Place

    original = StoredRun(folder)
    checked = _checked(original, no_color=no_color)
    checked = trusted(checked, allow_import, quiet=quiet, no_color=no_color)
    finished = _run(original, checked, Place(runs, run_dir), quiet=quiet, no_color=no_color)
    if finished.error is not None:
        show_failure(finished.error, checked, verbose=verbose)
    if finished.folder is None or finished.status in ("failed", "interrupted"):
        say(f"error: the repetition was {finished.status}: there is nothing to compare")
        raise typer.Exit(1)
    from runexp.api.reproducing import compared

    found = compared(original, StoredRun(finished.folder), tolerance=tolerance)
    _report(original, found, finished.folder, form=form, no_color=no_color)
    if found.verdict == "different":
        raise typer.Exit(1)


def _checked(original: StoredRun, *, no_color: bool) -> Checked:
    """The recorded spec, after what differs of the environment was told; leaves with 2 where it is not valid."""
    from runexp.api.reproducing import differing_versions, recorded_spec
    from runexp.store.run_spec import RESOLVED

    if not (original.folder / RESOLVED).is_file():
        say(f"error: {original.folder} has no {RESOLVED}: there is nothing to run again")
        raise typer.Exit(2)
    checked, told = recorded_spec(original)
    show_diagnostics(checked.diagnostics, checked.files, no_color=no_color)
    if not checked.is_valid:
        raise typer.Exit(2)
    for line in [*([told] if told else []), *differing_versions(original, checked)]:
        _warn(line)
    return checked


def _run(original: StoredRun, checked: Checked, place: Place, *, quiet: bool, no_color: bool) -> Run:
    from runexp.api.reproducing import run_again
    from runexp.engine.control import Control

    control = Control()
    stop_on_signals(control)
    try:
        with writing_a_run():
            return run_again(
                original,
                checked,
                place,
                watch=lambda live: progress_sinks(live, quiet=quiet, no_color=no_color),
                tell=_warn,
                control=control,
            )
    except SpecError as error:
        raise leave_with(error, checked.files, no_color=no_color) from None


def _report(original: StoredRun, found: Agreement, folder: Path, *, form: Format, no_color: bool) -> None:
    if form is Format.JSON:
        from runexp.results.run_record import jsonable

        record = {"version": 1, "original": str(original.folder), "run": str(folder), "verdict": found.verdict}
        print(json.dumps(record | jsonable(dataclasses.asdict(found)), indent=1, ensure_ascii=False, allow_nan=False))
        return
    from runexp.report.agreement import render_agreement

    color = wants_color(sys.stdout, no_color=no_color)
    sys.stdout.write(render_agreement(found, f"{original.name}/{original.id}", console_width=width(), color=color))
    say(f"run folder  {folder}", sys.stdout)


def _warn(line: str) -> None:
    say(f"warning: {line}")
