"""`runexp run`."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from runexp.cli.checked import leave_with, require_checked
from runexp.cli.options import (
    AllowImport,
    Device,
    Format,
    NoColor,
    Overrides,
    Quiet,
    RunDir,
    Runs,
    Seed,
    SpecPath,
    Verbose,
    as_overrides,
)
from runexp.cli.screen import say, say_on_terminal, show_diagnostics, wants_color, width
from runexp.cli.trust import trusted
from runexp.diagnostics import SpecError

if TYPE_CHECKING:  # these import torch; the verbs import them when they run
    from runexp.api.running import Run
    from runexp.engine.control import Control
    from runexp.engine.live import Live
    from runexp.observe.sink import Sink

_EXIT = {"SIGINT": 130, "SIGTERM": 143}


def run(
    spec: SpecPath,
    *,
    overrides: Overrides = None,
    runs: Runs = Path("runs"),
    run_dir: RunDir = None,
    device: Device = None,
    seed: Seed = None,
    allow_import: AllowImport = None,
    form: Annotated[Format, typer.Option("--format", help="text: a table; json: events as JSON lines.")] = Format.TEXT,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Validate, then execute; everything lands in a new run folder.

    Exit code 1 if the run fails, 2 if the spec is wrong (then nothing is started or written), 130 after Ctrl-C.
    """
    checked = require_checked(spec, as_overrides(overrides, device=device, seed=seed), no_color=no_color)
    checked = trusted(checked, allow_import, quiet=quiet, no_color=no_color)
    say_on_terminal("importing torch, reading data, building the graph …", quiet=quiet)
    from runexp.api.running import Place
    from runexp.api.running import run as run_checked
    from runexp.engine.control import Control
    from runexp.store.run_folder import FolderInUse

    control = Control()
    stop_on_signals(control)
    try:
        finished = run_checked(
            checked,
            Place(runs, run_dir),
            watch=lambda live: progress_sinks(live, quiet=quiet, no_color=no_color, as_json=form is Format.JSON),
            control=control,
        )
    except SpecError as error:
        raise leave_with(error, checked.files, no_color=no_color) from None
    except FolderInUse as error:
        say(f"error: {error}")
        raise typer.Exit(2) from None
    except OSError as error:
        say(f"error: the run folder cannot be written: {error}")
        raise typer.Exit(1) from None
    _report(finished, checked.files, form=form, no_color=no_color, verbose=verbose)
    _leave(finished, control)


def progress_sinks(live: Live, *, quiet: bool, no_color: bool, as_json: bool = False) -> Sequence[Sink]:
    """What shows a run on this terminal or pipe."""
    from rich.console import Console

    from runexp.observe.json_lines import JsonLines
    from runexp.observe.plain_progress import PlainProgress
    from runexp.observe.rich_progress import RichProgress

    shown: list[Sink] = [JsonLines(sys.stdout)] if as_json else []
    if quiet:
        return shown
    if sys.stderr.isatty() and not as_json:
        console = Console(stderr=True, no_color=not wants_color(sys.stderr, no_color=no_color))
        return [*shown, RichProgress(live, console)]
    return [*shown, PlainProgress(sys.stderr)]


def stop_on_signals(control: Control) -> None:
    """The first Ctrl-C or SIGTERM ends the run after its current batch; a second Ctrl-C leaves at once."""

    def ask(number: int, frame: FrameType | None) -> None:
        if control.signal:
            raise KeyboardInterrupt
        control.interrupt(signal.Signals(number).name)

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)


def _report(finished: Run, files: Mapping[str, str], *, form: Format, no_color: bool, verbose: bool) -> None:
    if form is Format.JSON:
        print(json.dumps({"run": str(finished.folder), "status": finished.status}))
    else:
        from runexp.report.results import render_results

        color = wants_color(sys.stdout, no_color=no_color)
        text = render_results(
            finished.results,
            console_width=width(),
            color=color,
            folder=str(finished.folder),
            units=finished.units,
        )
        sys.stdout.write(text)
    if finished.error is not None:
        show_failure(finished.error, files, verbose=verbose)


def show_failure(error: Exception, files: Mapping[str, str], *, verbose: bool) -> None:
    """Say what a run failed of, and where in its plan."""
    if isinstance(error, SpecError):
        show_diagnostics(error.diagnostics, files)
        return
    if verbose:
        import traceback

        traceback.print_exception(error)
    where = "; ".join(getattr(error, "__notes__", ()))
    say(f"error: the run failed: {type(error).__name__}: {error}" + (f"\n  {where}" if where else ""))
    if not verbose:
        say("  --verbose shows the traceback")


def _leave(finished: Run, control: Control) -> None:
    if finished.status == "interrupted":
        say(f"interrupted by {control.signal or 'SIGINT'}; what was done so far is in {finished.folder}")
        raise typer.Exit(_EXIT.get(control.signal, 130))
    if finished.status == "failed":
        raise typer.Exit(1)
