"""Agreeing to the code that a spec from elsewhere would run, and showing what code runs at all."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from runexp.cli.screen import say, show_diagnostics

if TYPE_CHECKING:  # imported by the functions, to start fast
    from runexp.api.checking import Checked


def trusted(checked: Checked, prefixes: Sequence[str] | None, *, quiet: bool, no_color: bool) -> Checked:
    """The spec with its code agreed to: by `--allow-import`, or by somebody at the terminal; else leave with 2."""
    if not checked.parsed_spec.imports:
        return checked
    from runexp.api.trust import allowing, code_of, distrusted

    agreed = allowing(checked, prefixes or ())
    found = distrusted(agreed)
    if found and _agrees(code_of(agreed)):
        agreed = allowing(agreed, agreed.parsed_spec.imports)
    elif found:
        show_diagnostics(found, checked.files, no_color=no_color)
        raise typer.Exit(2)
    if not quiet:
        say(f"runs code of yours: {', '.join(code_of(agreed))}")
    return agreed


def _agrees(code: Sequence[str]) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    say("this spec comes from outside of the current project and would run code:")
    for one in code:
        say(f"  {one}")
    return typer.confirm("run it?", default=False, err=True)
