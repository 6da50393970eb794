"""`runexp resume`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runexp.cli.checked import leave_with
from runexp.cli.grace import leaving_in_time
from runexp.cli.options import AllowImport, Format, Grace, NoColor, Quiet, Runs, SaveEvery, Verbose
from runexp.cli.screen import say, say_on_terminal
from runexp.cli.trust import trusted
from runexp.cli.watching import leave, progress_sinks, report, stop_on_signals, writing_a_run
from runexp.diagnostics import SpecError
from runexp.source.nodes import COMMAND_LINE

if TYPE_CHECKING:  # imported by the functions, to start fast
    from runexp.api.checking import Checked


@dataclass(frozen=True, slots=True)
class Talk:
    """How much a command says, and how."""

    quiet: bool
    verbose: bool
    no_color: bool


@dataclass(frozen=True, slots=True)
class Going:
    """What is new about a run that goes on: limits and thresholds; `force` goes on whatever has changed."""

    guards: tuple[str, ...] = ()
    force: bool = False


class Curves(StrEnum):
    """What becomes of schedules that ran over a training which is extended."""

    EXTEND = "extend"
    KEEP = "keep"


Extend = Annotated[
    list[str] | None,
    typer.Option(
        "--extend",
        metavar="PATH=VALUE",
        help="Go on with the last training of a finished run to this length (phases.train.epochs=50), as a new run.",
    ),
]
Schedules = Annotated[
    Curves,
    typer.Option(
        "--schedule", help="With --extend: let curves run over the new length, or keep them as they were, at their end."
    ),
]


def resume(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Its id, the start of it, its name, its folder, or `last`.")
    ],
    *,
    runs: Runs = Path("runs"),
    guards: Annotated[
        list[str] | None, typer.Option("--set", metavar="guards.X=VALUE", help="Another limit or threshold.")
    ] = None,
    allow_import: AllowImport = None,
    form: Annotated[Format, typer.Option("--format", help="text: a table; json: events as JSON lines.")] = Format.TEXT,
    save_every: SaveEvery = 30.0,
    grace: Grace = None,
    force: Annotated[
        bool, typer.Option("--force", help="Go on though data, code or versions have changed: other numbers may come.")
    ] = False,
    extend: Extend = None,
    schedule: Schedules = Curves.EXTEND,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Go on with a run that was stopped, failed or killed, in its own folder; with --extend, with a finished one.

    It ends with the numbers and weights of a run that was never broken off. Exit code 0 too where nothing is left
    to do, 2 where it is running, or what it was made with has changed.
    """
    from runexp.store.find import AmbiguousRun, UnknownRun, find_run

    try:
        folder = find_run(runs, run)
    except (UnknownRun, AmbiguousRun) as error:
        say(f"error: {error}")
        raise typer.Exit(2) from None
    if schedule is Curves.KEEP and not extend:
        say("error: --schedule says what becomes of schedules with --extend")
        raise typer.Exit(2)
    from runexp.api.stored_sweep import is_sweep

    if is_sweep(folder):
        say(f"error: {folder} holds many runs; the command that began them, given again, goes on and repeats none")
        raise typer.Exit(2)
    talk = Talk(quiet, verbose, no_color)
    folder = _extended(folder, extend, schedule, runs=runs, talk=talk) if extend else folder
    how = Going(tuple(guards or ()), force=force)
    go_on(folder, allow_import=allow_import, form=form, save_every=save_every, grace=grace, talk=talk, going=how)


def _extended(folder: Path, changes: list[str], schedule: Curves, *, runs: Path, talk: Talk) -> Path:
    """The new run that goes on with a finished one to another length; leaves with 2 where that cannot be."""
    say_on_terminal("importing torch …", quiet=talk.quiet)
    from runexp.api.extending import extend
    from runexp.api.resuming import CannotResume

    try:
        made = extend(folder, changes, curves="keep" if schedule is Curves.KEEP else "extend", runs=runs)
    except SpecError as error:
        raise leave_with(error, {COMMAND_LINE: "\n".join(changes)}, no_color=talk.no_color) from None
    except CannotResume as error:
        raise _refused(error) from None
    if not talk.quiet:
        say(f"goes on with {folder} in {made.folder}")
    return made.folder


def go_on(
    folder: Path,
    *,
    allow_import: list[str] | None,
    form: Format,
    save_every: float,
    grace: float | None,
    talk: Talk,
    going: Going | None = None,
) -> None:
    """Go on with the run in a folder, show it, and leave with its exit code."""
    say_on_terminal("importing torch, reading data, building the graph …", quiet=talk.quiet)
    from dataclasses import replace

    from runexp.api.resuming import CannotResume, open_run
    from runexp.api.resuming import resume as resume_run
    from runexp.engine.control import Control

    going = going or Going()
    control = Control()
    stop_on_signals(control)
    try:
        with leaving_in_time(control, grace), writing_a_run():
            run = open_run(folder, overrides=going.guards)
            run = replace(run, checked=trusted(run.checked, allow_import, quiet=talk.quiet, no_color=talk.no_color))
            try:
                finished = resume_run(
                    run,
                    watch=lambda live: progress_sinks(
                        live, quiet=talk.quiet, no_color=talk.no_color, as_json=form is Format.JSON
                    ),
                    control=control,
                    force=going.force,
                    save_every_s=save_every,
                    tell=lambda message: say(f"warning: {message}"),
                )
            except SpecError as error:
                raise leave_with(error, run.checked.files, no_color=talk.no_color) from None
    except CannotResume as error:
        raise _refused(error) from None
    report(finished, run.checked, form=form, no_color=talk.no_color, verbose=talk.verbose)
    leave(finished, control)


def unfinished(checked: Checked, runs: Path, run_dir: Path | None) -> Path | None:
    """The newest run of this spec, or that in `run_dir`, if it was broken off; leaves with 2 where there is none and
    the newest of its name, which was broken off, was another spec's."""
    from runexp.plan.experiment import digest
    from runexp.store.find import list_runs
    from runexp.store.locks import is_locked

    plan = checked.linked
    found = [run_dir] if run_dir else [entry.path for entry in list_runs(runs) if entry.name == plan.name]
    began_with = {folder: _began_with(folder) for folder in found}
    same = [folder for folder in found if began_with[folder] == digest(plan)]
    if same:
        return same[-1] if run_dir or _is_broken_off(same[-1]) else None  # no other run can have that folder
    if not found or not began_with[found[-1]] or not _is_broken_off(found[-1]) or is_locked(found[-1]):
        return None
    say(f"error: the spec has changed since {found[-1]} was broken off")
    say(f"  see what: runexp plan {found[-1] / 'written.yaml'} {checked.path}")
    say(f"  go on with the old one: runexp resume {found[-1]}; or begin anew: --resume never")
    raise typer.Exit(2)


def _began_with(folder: Path) -> object:
    """The digest of the plan that a run began with; None where it was broken off before it had begun."""
    from runexp.store.records import read_lock_file

    try:
        return read_lock_file(folder).get("plan")
    except (OSError, ValueError):
        return None


def _is_broken_off(folder: Path) -> bool:
    from runexp.store.status import read_status

    status = read_status(folder)
    return status is not None and status.state != "completed"


def _refused(error: Exception) -> typer.Exit:
    from runexp.api.resuming import CannotResume

    is_over = isinstance(error, CannotResume) and error.is_over
    say(str(error) if is_over else f"error: {error}")
    for difference in error.differences if isinstance(error, CannotResume) else ():
        say(f"  {difference}")
    if isinstance(error, CannotResume) and error.differences:
        say("  --force goes on all the same: the numbers are then not those of one run")
    return typer.Exit(0 if is_over else 2)
