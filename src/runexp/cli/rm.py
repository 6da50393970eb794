"""`runexp rm`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runexp.cli.completion import complete_run
from runexp.cli.options import Quiet, Runs
from runexp.cli.references import require_runs
from runexp.cli.screen import say

References = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN…]", help="Ids or starts of them, names, folders, `last`.", autocompletion=complete_run
    ),
]
Empty = Annotated[bool, typer.Option("--empty-trash", help="Delete for good what lies in the trash.")]


def remove(
    references: References = None, *, empty_trash: Empty = False, runs: Runs = Path("runs"), quiet: Quiet = False
) -> None:
    """Move runs to the trash of their folder of runs; moving one back brings it back.

    Nothing is moved unless all can be: never a folder that is no run, never one that is running.
    """
    if not references and not empty_trash:
        say("error: no run is named, and --empty-trash is not given")
        raise typer.Exit(2)
    folders = list(dict.fromkeys(require_runs(runs, references or [])))
    try:
        for target in _moved(runs, folders):
            if not quiet:
                say(f"moved to {target}")
        if empty_trash:
            _empty(runs, quiet=quiet)
    except OSError as error:
        say(f"error: {error.filename or runs}: {error.strerror}")
        raise typer.Exit(1) from None


def _moved(runs: Path, folders: list[Path]) -> list[Path]:
    from runexp.store.trash import CannotRemove, move_to_trash, why_not_removable

    reasons = [reason for folder in folders if (reason := why_not_removable(runs, folder))]
    for reason in reasons:
        say(f"error: {reason}")
    if reasons:
        raise typer.Exit(2)
    try:
        return [move_to_trash(runs, folder) for folder in folders]
    except CannotRemove as error:  # somebody started it between the look and the move
        say(f"error: {error}")
        raise typer.Exit(1) from None


def _empty(runs: Path, *, quiet: bool) -> None:
    from runexp.report.sizes import in_units
    from runexp.report.wording import counted
    from runexp.store.trash import empty_trash

    emptied = empty_trash(runs)
    if not quiet:
        say(f"deleted {counted(emptied.n_runs, 'run')}, {in_units(emptied.n_bytes)}")
