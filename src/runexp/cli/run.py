"""`runexp run`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runexp.cli.checked import leave_with, require_checked
from runexp.cli.grace import leaving_in_time
from runexp.cli.options import (
    AllowImport,
    Device,
    Format,
    Grace,
    NoColor,
    Overrides,
    Quiet,
    RunDir,
    Runs,
    SaveEvery,
    Seed,
    SpecPath,
    Verbose,
    as_overrides,
)
from runexp.cli.resume import Talk, go_on, unfinished
from runexp.cli.screen import say, say_on_terminal
from runexp.cli.sweep import Manner, Repeats, repeat
from runexp.cli.trust import trusted
from runexp.cli.watching import leave, progress_sinks, report, stop_on_signals, writing_a_run
from runexp.diagnostics import SpecError

if TYPE_CHECKING:  # imported by the functions, to start fast
    from runexp.api.checking import Checked


class Resuming(StrEnum):
    """Whether `run` goes on with a run that was broken off."""

    NEVER = "never"
    AUTO = "auto"


WhetherResume = Annotated[
    Resuming, typer.Option("--resume", help="auto: go on with the newest run of this spec that was broken off.")
]


Replicates = Annotated[
    int,
    typer.Option(
        "--replicates", min=1, metavar="N", help="Run it with N seeds, the first its own, and show the spread."
    ),
]


class HowRepeated(StrEnum):
    """How repeats are run."""

    SEQUENTIAL = "sequential"
    PROCESSES = "processes"
    VECTORIZED = "vectorized"


Execution = Annotated[
    HowRepeated | None,
    typer.Option("--execution", help="How repeats are run; the words are those of `sweep.execution`."),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, metavar="N", help="Repeats at a time, in processes unless --execution says else."),
]


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
    resume: WhetherResume = Resuming.NEVER,
    replicates: Replicates = 1,
    execution: Execution = None,
    workers: Workers = None,
    save_every: SaveEvery = 30.0,
    grace: Grace = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Validate, then execute; everything lands in a new run folder.

    Exit code 1 if the run fails, 2 if the spec is wrong (then nothing is started or written), 130 after Ctrl-C,
    143 after SIGTERM or SIGUSR1.
    """
    repeats = _repeats(replicates, execution, workers)
    checked = require_checked(spec, as_overrides(overrides, device=device, seed=seed), no_color=no_color)
    checked = trusted(checked, allow_import, quiet=quiet, no_color=no_color)
    if checked.linked.sweep is not None and not quiet:
        say(f"note: this runs {spec} once, with the values written in it; `runexp sweep {spec}` runs its trials")
    if repeats is not None:
        manner = Manner(form, quiet, no_color, grace)
        return repeat(checked, repeats, runs=runs, run_dir=run_dir, save_every=save_every, manner=manner)
    broken_off = unfinished(checked, runs, run_dir) if resume is Resuming.AUTO else None
    how = Talk(quiet, verbose, no_color)
    if broken_off is not None:
        return go_on(broken_off, allow_import=allow_import, form=form, save_every=save_every, grace=grace, talk=how)
    _once(checked, runs, run_dir, form=form, save_every=save_every, grace=grace, how=how)


def _repeats(n: int, execution: HowRepeated | None, workers: int | None) -> Repeats | None:
    """What is asked of repeats; None where it runs once. Leaves with 2 where that cannot be."""
    if n == 1 and (execution is not None or workers is not None):
        option = "--execution" if execution is not None else "--workers"
        say(f"error: `{option}` is for repeats, `--replicates N`; folds have `--set cv.execution=processes`")
        raise typer.Exit(2)
    if execution is HowRepeated.SEQUENTIAL and workers is not None:
        say("error: `--workers` counts runs at a time, and `--execution sequential` has one; leave one of them out")
        raise typer.Exit(2)
    chosen = execution or (HowRepeated.SEQUENTIAL if workers is None else HowRepeated.PROCESSES)
    return Repeats(n, chosen.value, workers or 0) if n > 1 else None


def _once(
    checked: Checked,
    runs: Path,
    run_dir: Path | None,
    *,
    form: Format,
    save_every: float,
    grace: float | None,
    how: Talk,
) -> None:
    """Run it once, show it, and leave with its exit code."""
    say_on_terminal("importing torch, reading data, building the graph …", quiet=how.quiet)
    from runexp.api.running import Place
    from runexp.api.running import run as run_checked
    from runexp.engine.control import Control

    stop_on_signals(control := Control())
    try:
        with leaving_in_time(control, grace), writing_a_run():
            finished = run_checked(
                checked,
                Place(runs, run_dir, save_every),
                watch=lambda live: progress_sinks(
                    live, quiet=how.quiet, no_color=how.no_color, as_json=form is Format.JSON
                ),
                control=control,
            )
    except SpecError as error:
        raise leave_with(error, checked.files, no_color=how.no_color) from None
    report(finished, checked, form=form, no_color=how.no_color, verbose=how.verbose)
    leave(finished, control)
