"""`runexp tag` and `runexp note`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runexp.cli.options import Runs
from runexp.cli.references import RunReference, require_run
from runexp.cli.screen import say

if TYPE_CHECKING:  # imported by the functions, to start fast
    from collections.abc import Callable

    from runexp.store.annotations import Annotations

Tags = Annotated[list[str] | None, typer.Argument(metavar="[TAG…]", help="Tags to give; left out: those it has.")]
Text = Annotated[str | None, typer.Argument(metavar="[TEXT]", help="The note; left out: the one it has.")]
Remove = Annotated[bool, typer.Option("--remove", help="Take these tags away instead.")]
Clear = Annotated[bool, typer.Option("--clear", help="Take the note away.")]


def tag(reference: RunReference, tags: Tags = None, *, remove: Remove = False, runs: Runs = Path("runs")) -> None:
    """Give a run tags, or take them away; `runexp list --tag TAG` finds it then. Shows the tags it has."""
    from dataclasses import replace

    from runexp.store.annotations import check_tag, read_annotations

    folder = require_run(runs, reference)
    for name in tags or ():
        _require(check_tag, name)
    if not tags:
        _print_tags(read_annotations(folder))
        return

    def change(said: Annotations) -> Annotations:
        kept = [name for name in said.tags if not (remove and name in tags)]
        return replace(said, tags=tuple(dict.fromkeys([*kept, *(() if remove else tags)])))

    _print_tags(_changed(folder, change))


def note(reference: RunReference, text: Text = None, *, clear: Clear = False, runs: Runs = Path("runs")) -> None:
    """Write a note to a run, or show the one it has; a new one takes the place of the old."""
    from dataclasses import replace

    from runexp.store.annotations import check_note, read_annotations

    folder = require_run(runs, reference)
    if text is not None and clear:
        say("error: a text and --clear exclude each other")
        raise typer.Exit(2)
    if text is None and not clear:
        found = read_annotations(folder).note
        if found:
            from runexp.report.wording import harmless

            say("\n".join(map(harmless, found.splitlines())), sys.stdout)
        else:
            say("no note")
        return
    _require(check_note, text or "")
    _changed(folder, lambda said: replace(said, note=text or ""))


def _print_tags(said: Annotations) -> None:
    from runexp.report.wording import plain

    for name in said.tags:
        print(plain(name))
    if not said.tags:
        say("no tags")


def _require(check: Callable[[str], None], text: str) -> None:
    try:
        check(text)
    except ValueError as error:
        say(f"error: {error}")
        raise typer.Exit(2) from None


def _changed(folder: Path, change: Callable[[Annotations], Annotations]) -> Annotations:
    from runexp.store.annotations import change_annotations

    try:
        return change_annotations(folder, change)
    except OSError as error:
        say(f"error: {folder} cannot be written: {error.strerror}")
        raise typer.Exit(1) from None
