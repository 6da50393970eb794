"""`runexp watch` of a sweep, or of repeats."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from runexp.cli.options import Format
from runexp.cli.screen import say, wants_color

if TYPE_CHECKING:  # imported by the functions, to start fast
    from collections.abc import Iterator

    from runexp.observe.trial_progress import LiveTrials, PlainTrials
    from runexp.results.trials import SweepResults, Trial


def watch_trials(folder: Path, every: float, form: Format, *, no_color: bool) -> None:
    """Follow the trials until the sweep ends, and show what they gave; leaves with 1 unless it completed."""
    from runexp.api.stored_sweep import as_they_stand
    from runexp.cli.sweep import show_sweep

    try:
        results, _ = as_they_stand(folder)
        if form is Format.JSON:
            results = _as_lines(folder, every)
        elif results.status == "running":
            results = _drawn(folder, every, no_color=no_color)
    except KeyboardInterrupt:
        say("no longer watched; the trials go on")
        raise typer.Exit(130) from None
    if form is Format.JSON:
        print(json.dumps({"sweep": str(folder), "status": results.status}))
    else:
        show_sweep(results, Format.TEXT, no_color=no_color)
    if results.status == "killed":
        say("nobody runs these trials any more; the same command goes on with them")
    if results.status != "completed" or not results.completed:
        raise typer.Exit(1)


def _drawn(folder: Path, every: float, *, no_color: bool) -> SweepResults:
    """Show them as `sweep` does: those that ended a line each, those that run in a table that moves."""
    from contextlib import closing
    from dataclasses import replace

    from runexp.api.watching import follow_trials

    told: dict[int, Trial] = {}
    begun = False
    with closing(_watcher(no_color=no_color)) as watcher:
        for results, n_trials in follow_trials(folder, every_s=every):
            if not begun:
                begun = True
                watcher.begin(replace(results, trials=()), n_trials)
            for trial in _news(results, told):
                watcher.receive(trial)
    return results


def _watcher(*, no_color: bool) -> LiveTrials | PlainTrials:
    from rich.console import Console

    from runexp.observe.trial_progress import LiveTrials, PlainTrials

    if not sys.stdout.isatty():
        return PlainTrials(sys.stdout)
    return LiveTrials(Console(no_color=not wants_color(sys.stdout, no_color=no_color)))


def _as_lines(folder: Path, every: float) -> SweepResults:
    """A line of JSON for each trial that began or ended, or that has newer numbers."""
    from dataclasses import asdict

    from runexp.api.watching import follow_trials
    from runexp.results.run_record import jsonable

    told: dict[int, Trial] = {}
    for results, _ in follow_trials(folder, every_s=every):
        for trial in _news(results, told):
            print(json.dumps(jsonable(asdict(trial)), ensure_ascii=False), flush=True)
    return results


def _news(results: SweepResults, told: dict[int, Trial]) -> Iterator[Trial]:
    """The trials that are not as they were told; those that began are told before they ended."""
    for trial in results.trials:
        if told.get(trial.number) != trial:
            told[trial.number] = trial
            yield trial
