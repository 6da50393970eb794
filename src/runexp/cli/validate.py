"""`runexp validate`."""

from __future__ import annotations

import gc
import sys
from enum import StrEnum
from typing import Annotated

import typer

from runexp.cli.options import NoColor, Overrides, as_overrides

Specs = Annotated[list[str], typer.Argument(metavar="SPEC…", help="YAML files; `-` reads standard input.")]


class DiagnosticForm(StrEnum):
    """How diagnostics are written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


Form = Annotated[DiagnosticForm, typer.Option("--format", help="How diagnostics are written.")]


def validate(
    specs: Specs,
    *,
    overrides: Overrides = None,
    form: Form = DiagnosticForm.TEXT,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing of files that are right.")] = False,
    no_color: NoColor = False,
) -> None:
    """Report every mistake of every file at once, at its line and column.

    Imports no torch, runs nothing a spec names, writes nothing. Exit code 2 if there is any error.
    """
    gc.disable()  # imports and a spec of bounded size leave no garbage worth a tenth of the time
    from runexp.api.checking import check
    from runexp.cli.screen import say, show_diagnostics

    stdin = sys.stdin.buffer.read() if "-" in specs else None
    checked = [check(spec, overrides=as_overrides(overrides), stdin=stdin) for spec in specs]
    gc.enable()
    found = [item for one in checked for item in one.diagnostics]
    files = {name: text for one in checked for name, text in one.files.items()}
    stream = sys.stderr if form is DiagnosticForm.TEXT else sys.stdout
    show_diagnostics(found, files, form=form.value, no_color=no_color, stream=stream)
    for one in checked:
        if one.is_valid and form is DiagnosticForm.TEXT and not quiet:
            say(f"{one.path}: valid", sys.stdout)
    if not all(one.is_valid for one in checked):
        raise typer.Exit(2)
