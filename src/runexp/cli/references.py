"""The run that a command line names, or exit code 2 with the nearest ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from runexp.cli.completion import complete_run
from runexp.cli.screen import say

_WHAT = "An id or the start of one, a name, a folder, `last` or `NAME/last`."
RunReference = Annotated[str, typer.Argument(metavar="RUN", help=_WHAT, autocompletion=complete_run)]
RunReferences = Annotated[list[str], typer.Argument(metavar="RUN…", help=_WHAT, autocompletion=complete_run)]


def require_run(runs: Path, reference: str) -> Path:
    """The folder of the one run that is meant; leaves with 2 otherwise."""
    return require_runs(runs, [reference])[0]


def require_runs(runs: Path, references: Sequence[str]) -> list[Path]:
    """The folders of the runs that are meant; leaves with 2, all mistakes told, if one is unknown or ambiguous."""
    from runexp.store.find import AmbiguousRun, UnknownRun, find_run

    found, mistakes = [], []
    for reference in references:
        try:
            found.append(find_run(runs, reference))
        except (UnknownRun, AmbiguousRun) as error:
            mistakes.append(str(error))
    for mistake in dict.fromkeys(mistakes):
        say(f"error: {mistake}")
    if mistakes:
        raise typer.Exit(2)
    return found
