"""`runexp data`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from runexp.cli.checked import leave_with, require_checked
from runexp.cli.options import Format, NoColor, Overrides, Seed, SpecPath, as_overrides
from runexp.cli.screen import say, say_on_terminal, wants_color, width
from runexp.diagnostics import SpecError, did_you_mean

if TYPE_CHECKING:  # imports torch; the verb imports it when it runs
    from runexp.api.checking import Checked

Name = Annotated[str, typer.Argument(metavar="[NAME]", help="One feature set, or a matrix; left out: all.")]
Head = Annotated[int, typer.Option("--head", metavar="N", min=0, help="Show the first N rows, too.")]


def data(
    spec: SpecPath,
    name: Name = "",
    *,
    head: Head = 0,
    form: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.TEXT,
    overrides: Overrides = None,
    seed: Seed = None,
    no_color: NoColor = False,
) -> None:
    """Show the data as read: sources, splits with their rows, and each key with its range, categories and gaps.

    Reads the sources, fits the transforms and builds nothing else. Exit code 2 for what is wrong in spec or data.
    """
    checked = require_checked(spec, as_overrides(overrides, seed=seed), no_color=no_color)
    _require_set(checked, name)
    say_on_terminal("reading data …", quiet=False)
    from runexp.api.describing import describe_sets
    from runexp.report.data import as_document, render_data

    try:
        sets = describe_sets(checked, name=name, n_head=head)
    except SpecError as error:
        raise leave_with(error, checked.files, no_color=no_color) from error
    if form is Format.JSON:
        print(json.dumps({"data": [as_document(facts) for facts in sets]}, indent=1, ensure_ascii=False))
        return
    color = wants_color(sys.stdout, no_color=no_color)
    sys.stdout.write(render_data(sets, console_width=width(), color=color))


def _require_set(checked: Checked, name: str) -> None:
    known = [found for plan in checked.linked.data for found in (plan.name, *(item.name for item in plan.matrices))]
    if name and name not in known:
        say(f"error: there is no feature set `{name}`; {did_you_mean(name, known, kind='feature sets')}")
        raise typer.Exit(2)
