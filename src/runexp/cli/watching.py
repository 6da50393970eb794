"""What a run looks like from a terminal: its progress, its signals, its results and its end."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING

import typer

from runexp.cli.options import Format
from runexp.cli.screen import say, show_diagnostics, wants_color, width
from runexp.diagnostics import SpecError

if TYPE_CHECKING:  # these import torch; the verbs import them when they run
    from runexp.api.checking import Checked
    from runexp.api.running import Run
    from runexp.engine.control import Control
    from runexp.engine.live import Live
    from runexp.observe.sink import Sink

_EXIT = {"SIGINT": 130, "SIGTERM": 143, "SIGUSR1": 143}


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
    """The first Ctrl-C, SIGTERM or SIGUSR1 ends the run after its current batch; a second Ctrl-C leaves at once.

    Schedulers say it twice: a warning ahead of time, which `#SBATCH --signal` makes SIGUSR1, and SIGTERM when it is
    over. The second must not cut short what the first began.
    """

    def ask(number: int, frame: FrameType | None) -> None:
        if not control.signal:
            control.interrupt(signal.Signals(number).name)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, ask)


def report(finished: Run, checked: Checked, *, form: Format, no_color: bool, verbose: bool) -> None:
    """Print what a run found out, or that it failed and of what."""
    if form is Format.JSON:
        told = {"run": str(finished.folder), "status": finished.status} | _spreads(finished)
        print(json.dumps(told | _missed(finished)))
    else:
        from runexp.report.results import render_results

        color = wants_color(sys.stdout, no_color=no_color)
        text = render_results(
            finished.results,
            console_width=width(),
            color=color,
            folder=str(finished.folder),
            units=finished.units,
            requirements=finished.requirements,
        )
        sys.stdout.write(text)
    for note in finished.notes:
        say(note)
    if finished.error is not None:
        show_failure(finished.error, checked, verbose=verbose)


def _missed(finished: Run) -> dict[str, object]:
    """What came of the thresholds of its spec, where it has some."""
    from runexp.results.requirements import as_json

    return {"requirements": as_json(finished.requirements)} if finished.requirements else {}


def _spreads(finished: Run) -> dict[str, object]:
    """Of a cross-validation: mean, spread and interval of every final number."""
    if finished.results.cv is None:
        return {}
    from dataclasses import asdict

    spreads = finished.results.cv.spreads()
    return {"cv": {"folds": len(finished.results.cv), "spread": {name: asdict(spreads[name]) for name in spreads}}}


def show_failure(error: Exception, checked: Checked, *, verbose: bool) -> None:
    """Say what a run failed of, and where in its plan; no secret of its spec."""
    from dataclasses import replace

    from runexp.api.redaction import redacted_text

    if isinstance(error, SpecError):
        told = [replace(found, message=redacted_text(found.message, checked.document)) for found in error.diagnostics]
        show_diagnostics(told, checked.files)
        return
    if verbose:
        import traceback

        sys.stderr.write(redacted_text("".join(traceback.format_exception(error)), checked.document))
    where = "; ".join(getattr(error, "__notes__", ()))
    what = f"error: the run failed: {type(error).__name__}: {error}" + (f"\n  {where}" if where else "")
    say(redacted_text(what, checked.document))
    if not verbose:
        say("  --verbose shows the traceback")


@contextmanager
def writing_a_run() -> Iterator[None]:
    """Leave with 2 where another process is in the run's folder, and with 1 where it cannot be written."""
    from runexp.store.run_folder import FolderInUse

    try:
        yield
    except FolderInUse as error:
        say(f"error: {error}")
        raise typer.Exit(2) from None
    except OSError as error:
        say(f"error: the run folder cannot be written: {error}")
        for note in getattr(error, "__notes__", ()):
            say(f"  {note}")
        raise typer.Exit(1) from None


def leave(finished: Run, control: Control) -> None:
    """Leave with the code that says how the run ended, if it did not complete."""
    if finished.status == "interrupted":
        took = f", saved and left after {monotonic() - control.asked_at:.1f} s" if control.asked_at else ""
        say(f"interrupted by {control.signal or 'SIGINT'}{took}; what was done so far is in {finished.folder}")
        if finished.can_go_on:
            say(f"to go on: runexp resume {finished.folder}")
        raise typer.Exit(_EXIT.get(control.signal, 130))
    if finished.status == "failed":
        if control.limit is not None and finished.can_go_on:
            say(f"what was done so far is kept; to go on: runexp resume {finished.folder}")
        raise typer.Exit(1)
    for verdict in finished.missed:
        say(f"error: {verdict}")
    if finished.missed:
        raise typer.Exit(1)
