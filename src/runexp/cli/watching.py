"""What a run looks like from a terminal: its progress, its signals, its results and its end."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING

import typer

from runexp.cli.options import Format
from runexp.cli.screen import say, show_diagnostics, wants_color, width
from runexp.diagnostics import SpecError

if TYPE_CHECKING:  # these import torch; the verbs import them when they run
    from runexp.api.running import Run
    from runexp.engine.control import Control
    from runexp.engine.live import Live
    from runexp.observe.sink import Sink

_EXIT = {"SIGINT": 130, "SIGTERM": 143}


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


def report(finished: Run, files: Mapping[str, str], *, form: Format, no_color: bool, verbose: bool) -> None:
    """Print what a run found out, or that it failed and of what."""
    if form is Format.JSON:
        print(json.dumps({"run": str(finished.folder), "status": finished.status} | _spreads(finished)))
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
    for note in finished.notes:
        say(note)
    if finished.error is not None:
        show_failure(finished.error, files, verbose=verbose)


def _spreads(finished: Run) -> dict[str, object]:
    """Of a cross-validation: mean, spread and interval of every final number."""
    if finished.results.cv is None:
        return {}
    from dataclasses import asdict

    spreads = finished.results.cv.spreads()
    return {"cv": {"folds": len(finished.results.cv), "spread": {name: asdict(spreads[name]) for name in spreads}}}


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


def leave(finished: Run, control: Control) -> None:
    """Leave with the code that says how the run ended, if it did not complete."""
    if finished.status == "interrupted":
        say(f"interrupted by {control.signal or 'SIGINT'}; what was done so far is in {finished.folder}")
        if finished.can_go_on:
            say(f"to go on: runexp resume {finished.folder}")
        raise typer.Exit(_EXIT.get(control.signal, 130))
    if finished.status == "failed":
        raise typer.Exit(1)
