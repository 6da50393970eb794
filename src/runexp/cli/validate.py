"""`runexp validate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from runexp.cli.completion import complete_spec
from runexp.cli.options import AllowImport, NoColor, Overrides, as_overrides

if TYPE_CHECKING:  # imported by the functions, to start fast
    from runexp.api.checking import Checked
    from runexp.report.sizes import SizeFacts

Specs = Annotated[
    list[str],
    typer.Argument(metavar="SPEC…", help="YAML files; `-` reads standard input.", autocompletion=complete_spec),
]


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
    from runexp.api.checking import check
    from runexp.cli.screen import show_diagnostics

    stdin = sys.stdin.buffer.read() if "-" in specs else None
    checked = [check(spec, overrides=as_overrides(overrides), stdin=stdin) for spec in specs]
    sizes: list[SizeFacts | None] = [None] * len(checked)
    if deep:
        checked, sizes = _deepened(checked, allow_import or ())
    found = [item for one in checked for item in one.diagnostics]
    files = {name: text for one in checked for name, text in one.files.items()}
    stream = sys.stderr if form is DiagnosticForm.TEXT else sys.stdout
    also = {"sizes": _as_json(sizes)} if deep else None
    show_diagnostics(found, files, form=form.value, no_color=no_color, stream=stream, also=also)
    if form is DiagnosticForm.TEXT and not quiet:
        _say_valid(checked, sizes)
    if not all(one.is_valid for one in checked):
        raise typer.Exit(2)


def _deepened(checked: list[Checked], allow: Sequence[str]) -> tuple[list[Checked], list[SizeFacts | None]]:
    if not any(one.is_valid for one in checked):  # nothing to import torch for
        return checked, [None] * len(checked)
    from runexp.api.deep import check_deep
    from runexp.api.trust import allowing

    deepened = [check_deep(allowing(one, allow)) for one in checked]
    return [one.checked for one in deepened], [one.sizes for one in deepened]


def _as_json(sizes: list[SizeFacts | None]) -> list[dict[str, object]]:
    from runexp.report.sizes import sizes_as_json

    return [sizes_as_json(item) for item in sizes if item is not None]


def _say_valid(checked: list[Checked], sizes: list[SizeFacts | None]) -> None:
    from runexp.cli.screen import say
    from runexp.report.sizes import size_lines

    for one, size in zip(checked, sizes, strict=True):
        if one.is_valid:
            say(f"{one.path}: valid", sys.stdout)
        if size is not None:
            say(size_lines(size), sys.stdout)
