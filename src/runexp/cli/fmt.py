"""`runexp fmt`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from runexp.cli.completion import complete_spec
from runexp.cli.options import NoColor
from runexp.cli.screen import say, show_diagnostics

if TYPE_CHECKING:  # imported by the functions, to start fast
    from collections.abc import Sequence

    from runexp.api.formatting import Formatted

Specs = Annotated[
    list[str],
    typer.Argument(metavar="SPEC…", help="YAML files; `-` reads standard input.", autocompletion=complete_spec),
]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if a file would change.")]
Diff = Annotated[bool, typer.Option("--diff", help="Write nothing; show what would change.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Do not name the files.")]


def fmt(
    specs: Specs, *, check: Check = False, diff: Diff = False, quiet: Quiet = False, no_color: NoColor = False
) -> None:
    """Write specs in one style: order of sections, indentation, quotes. Comments and meaning stay as they are.

    Exit code 2 if a file cannot be read; then none is written.
    """
    from runexp.api.formatting import format_spec

    stdin = sys.stdin.buffer.read() if "-" in specs else None
    formatted = [format_spec(spec, stdin) for spec in specs]
    _refuse_unreadable(formatted, no_color=no_color)
    for one in formatted:
        if diff:
            _show_difference(one)
        elif not check:
            _write(one, quiet=quiet)
    changed = [one for one in formatted if one.after != one.before]
    if check:
        for one in changed if not quiet else ():
            say(f"{one.file}: would change", sys.stderr if diff else sys.stdout)
        raise typer.Exit(1 if changed else 0)


def _refuse_unreadable(formatted: Sequence[Formatted], *, no_color: bool) -> None:
    found = [item for one in formatted if one.after is None for item in one.found]
    if found:
        show_diagnostics(found, {one.file: one.before for one in formatted}, no_color=no_color)
        raise typer.Exit(2)


def _show_difference(one: Formatted) -> None:
    import difflib

    before, after = one.before.splitlines(keepends=True), (one.after or "").splitlines(keepends=True)
    for line in difflib.unified_diff(before, after, one.file, f"{one.file} (formatted)"):
        sys.stdout.write(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")


def _write(one: Formatted, *, quiet: bool) -> None:
    from pathlib import Path

    from runexp.api.formatting import rewrite
    from runexp.source.read import STDIN

    if one.file == STDIN:
        sys.stdout.write(one.after or "")
    elif one.after is not None and one.after != one.before:
        try:
            rewrite(Path(one.file), one.after)
        except OSError as error:
            say(f"error: {one.file} cannot be written: {error.strerror or error}")
            raise typer.Exit(1) from None
        if not quiet:
            say(f"{one.file}: formatted", sys.stdout)
    elif not quiet:
        say(f"{one.file}: nothing to change", sys.stdout)
