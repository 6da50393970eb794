"""`runexp validate`."""

from __future__ import annotations

from typing import Annotated

import typer

from runexp.cli.completion import complete_spec
from runexp.cli.options import AllowImport, NoColor, Overrides, as_overrides
from runexp.cli.validating import DiagnosticForm, Wanted, validate_specs

Specs = Annotated[
    list[str],
    typer.Argument(metavar="SPEC…", help="YAML files; `-` reads standard input.", autocompletion=complete_spec),
]
Form = Annotated[DiagnosticForm, typer.Option("--format", help="How diagnostics are written.")]


def validate(
    specs: Specs,
    *,
    overrides: Overrides = None,
    form: Form = DiagnosticForm.TEXT,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also build the graph and read rows: shapes, dtypes, columns, sizes.")
    ] = False,
    allow_import: AllowImport = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing of files that are right.")] = False,
    no_color: NoColor = False,
) -> None:
    """Report every mistake of every file at once, at its line and column.

    Imports no torch, runs nothing a spec names, writes nothing; `--deep` imports and builds, and writes nothing either.
    Exit code 2 if there is any error.
    """
    wanted = Wanted(
        tuple(specs), tuple(as_overrides(overrides)), form, deep, quiet, no_color, tuple(allow_import or ())
    )
    code = validate_specs(wanted)
    if code:
        raise typer.Exit(code)
