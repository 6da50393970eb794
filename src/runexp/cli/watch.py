"""`runexp watch`."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runexp.cli.options import Format, NoColor, Runs
from runexp.cli.references import RunReference, require_run
from runexp.cli.screen import can_draw, say, wants_color, width

if TYPE_CHECKING:  # imported by the functions, to start fast
    from collections.abc import Callable, Iterator

    from runexp.api.opening import StoredRun
    from runexp.observe.sink import Sink, Stamped

Form = Annotated[Format, typer.Option("--format", help="text, or json: events as JSON lines.")]
Every = Annotated[float, typer.Option("--every", min=0.05, metavar="SECONDS", help="How often the log is looked at.")]


def watch(
    reference: RunReference,
    *,
    every: Every = 1.0,
    runs: Runs = Path("runs"),
    form: Form = Format.TEXT,
    no_color: NoColor = False,
) -> None:
    """Follow a run or a sweep of another process, here or on a shared disk, until it ends; Ctrl-C leaves it running.

    Exit code 1 if it failed, was interrupted or killed, or missed a threshold of its spec. A run that has ended is
    shown at once.
    """
    folder = require_run(runs, reference)
    signal.signal(signal.SIGTERM, _leave_quietly)  # so that the terminal is given back as it was
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started this deaf to Ctrl-C
    from runexp.api.stored_sweep import is_sweep

    if is_sweep(folder):
        from runexp.cli.watch_trials import watch_trials

        return watch_trials(folder, every, form, no_color=no_color)
    from runexp.api.opening import StoredRun

    run = StoredRun(folder)
    try:
        if form is Format.JSON:
            _as_lines(folder, every)
        elif run.record.status == "running" and run.spec.get("cv"):
            _folds_shown(folder, every, no_color=no_color)
        elif run.record.status == "running":
            _shown(folder, every, no_color=no_color)
    except KeyboardInterrupt:
        say("no longer watched; the run goes on")
        raise typer.Exit(130) from None
    ended = StoredRun(folder)  # as it stands now
    _conclude(ended, form=form, no_color=no_color)
    if ended.status not in ("completed", "stopped") or not all(one.is_met for one in ended.requirements):
        raise typer.Exit(1)


def _leave_quietly(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _shown(folder: Path, every: float, *, no_color: bool) -> None:
    """Draw the run as `run` does in a terminal; a line an epoch in a pipe."""
    from contextlib import closing

    from runexp.api.watching import follow

    sink, before = _display(no_color=no_color)
    with closing(sink):
        for stamped in follow(folder, every_s=every):
            before(stamped)
            if stamped is not None and type(stamped.event) in (sink.wants or {type(stamped.event)}):
                sink.receive(stamped)


def _folds_shown(folder: Path, every: float, *, no_color: bool) -> None:
    """All folds of a cross-validation, also where they run at once: a table that moves, or lines in a pipe."""
    from contextlib import closing

    from rich.console import Console

    from runexp.api.watching import follow_folds
    from runexp.observe.fold_watching import LiveFolds, PlainFolds

    colored = wants_color(sys.stdout, no_color=no_color)
    shown = LiveFolds(Console(no_color=not colored)) if sys.stdout.isatty() else PlainFolds(sys.stdout)
    with closing(shown):
        for stamped in _events(follow_folds(folder, every_s=every)):
            shown.receive(stamped)


def _display(*, no_color: bool) -> tuple[Sink, Callable[[Stamped | None], None]]:
    """What shows events, and what has to know of each before it does."""
    if not sys.stdout.isatty():
        from runexp.observe.plain_progress import PlainProgress

        return PlainProgress(sys.stdout), lambda stamped: None
    from rich.console import Console

    from runexp.observe.position import Position
    from runexp.observe.rich_progress import RichProgress

    position = Position()

    def before(stamped: Stamped | None) -> None:
        position.at(stamped.time if stamped else None)
        if stamped is not None:
            position.note(stamped)

    console = Console(no_color=not wants_color(sys.stdout, no_color=no_color))
    return RichProgress(position.live, console, clock=position), before


def _as_lines(folder: Path, every: float) -> None:
    from runexp.api.watching import follow
    from runexp.observe.event_log import encode

    for stamped in _events(follow(folder, every_s=every)):
        sys.stdout.write(encode(stamped).decode())
        sys.stdout.flush()


def _events(followed: Iterator[Stamped | None]) -> Iterator[Stamped]:
    return (stamped for stamped in followed if stamped is not None)


def _conclude(run: StoredRun, *, form: Format, no_color: bool) -> None:
    if form is Format.JSON:
        print(json.dumps({"run": str(run.folder), "status": run.status}))
        return
    if run.status == "killed":
        say(f"the run is dead: {_who(run)}, and it never said how it ended")
    from runexp.report.results import render_results

    page = render_results(
        run.results,
        console_width=width(),
        color=wants_color(sys.stdout, no_color=no_color),
        unicode=can_draw(sys.stdout),
        folder=str(run.folder),
        units=run.units,
        requirements=run.requirements,
    )
    sys.stdout.write(page)
    if run.status in ("killed", "interrupted") and run.results.cv is None:
        say(f"to go on: runexp resume {run.folder}")


def _who(run: StoredRun) -> str:
    from runexp.store.status import read_status

    status = read_status(run.folder)
    return f"process {status.pid} on {status.host} no longer holds it" if status else "nobody holds it"
