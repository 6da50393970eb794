"""A valid spec for the verbs that need one, or exit code 2 with everything found."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from runexp.cli.screen import show_diagnostics

if TYPE_CHECKING:  # imported by the functions, to start fast
    from runexp.api.checking import Checked
    from runexp.diagnostics import SpecError


def require_checked(spec: str, overrides: list[str], *, no_color: bool = False) -> Checked:
    """Check a spec, show what was found, and leave with 2 if it is not valid."""
    from runexp.api.checking import check

    stdin = sys.stdin.buffer.read() if spec == "-" else None
    checked = check(spec, overrides=overrides, stdin=stdin)
    show_diagnostics(checked.diagnostics, checked.files, no_color=no_color)
    if not checked.is_valid:
        raise typer.Exit(2)
    return checked


def leave_with(error: SpecError, files: Mapping[str, str], *, no_color: bool = False) -> typer.Exit:
    """Show what building found wrong; the exit to raise."""
    show_diagnostics(error.diagnostics, files, no_color=no_color)
    return typer.Exit(2)
