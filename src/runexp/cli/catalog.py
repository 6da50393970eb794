"""`runexp catalog`."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from runexp.cli.completion import complete_kind, complete_name
from runexp.cli.options import Format, NoColor
from runexp.cli.screen import say, wants_color, width

if TYPE_CHECKING:  # imported by the functions, to start fast
    from collections.abc import Sequence

    from runexp.catalog import Entry

Wanted = Annotated[
    str, typer.Argument(metavar="[NAME]", help="A short name or a dotted path.", autocompletion=complete_name)
]
Kind = Annotated[
    str, typer.Option("--kind", metavar="KIND", help="Only entries of a kind.", autocompletion=complete_kind)
]
Search = Annotated[str, typer.Option("--search", metavar="TEXT", help="Names and summaries that hold the text.")]
Form = Annotated[Format, typer.Option("--format", help="How it is written.")]


def catalog(
    name: Wanted = "", *, kind: Kind = "", search: Search = "", form: Form = Format.TEXT, no_color: NoColor = False
) -> None:
    """Show what `use:` can name: everything by kind, what a search finds, or one entry with its parameters.

    Reads what is known of the libraries and imports none of them. Exit code 2 for an unknown name.
    """
    color = wants_color(sys.stdout, no_color=no_color)
    _require_kind(kind)
    if name:
        _show_entry(name, kind, form, color=color)
    elif search or kind:
        _show_list(search, kind, form, color=color)
    else:
        _show_overview(form, color=color)


def _require_kind(kind: str) -> None:
    from runexp.catalog import KINDS
    from runexp.diagnostics import did_you_mean

    if kind and kind not in KINDS:
        say(f"error: there is no kind `{kind}`; {did_you_mean(kind, KINDS, kind='kinds', most=20)}")
        raise typer.Exit(2)


def _show_entry(name: str, kind: str, form: Format, *, color: bool) -> None:
    from runexp.catalog import KINDS, lookup
    from runexp.report.catalog import render_entry

    found = [entry for one in ([kind] if kind else KINDS) if (entry := lookup(name, one))]
    if not found:
        near = ", ".join(f"`{close}`" for close in _nearest(name, kind))
        hint = f"did you mean {near}?" if near else "`runexp catalog --search TEXT` looks in names and summaries"
        say(f"error: the catalog has no {kind or 'entry'} `{name}`; {hint}")
        raise typer.Exit(2)
    if form is Format.JSON:
        _write_json(found)
        return
    pages = [render_entry(entry, console_width=width(), color=color) for entry in found]
    sys.stdout.write("\n".join(pages))


def _nearest(name: str, kind: str) -> list[str]:
    """Names like the one that is unknown, whatever package they are of, the likeliest first."""
    from difflib import get_close_matches

    from runexp.catalog import names, suggest

    close = [*suggest(name, kind or None), *get_close_matches(name, names(kind or None), n=4, cutoff=0.75)]
    return list(dict.fromkeys(close))[:5]


def _show_list(search: str, kind: str, form: Format, *, color: bool) -> None:
    from runexp.catalog import lookup, names
    from runexp.catalog import search as search_entries
    from runexp.report.catalog import render_list

    if search:
        found = [entry for entry in search_entries(search) if kind in ("", entry.kind)]
    else:
        by_name = {entry.name: entry for name in names(kind) if (entry := lookup(name, kind))}
        found = list(by_name.values())
    if form is Format.JSON:
        _write_json(found)
        return
    if not found:
        say(f"nothing in the catalog holds `{search}`" if search else f"the catalog has no {kind} yet")
        return
    sys.stdout.write(render_list(found, console_width=width(), color=color, all_of_them=bool(kind)))


def _show_overview(form: Format, *, color: bool) -> None:
    from runexp.catalog import KINDS, names
    from runexp.report.catalog import render_overview

    known = {kind: names(kind) for kind in KINDS}
    if form is Format.JSON:
        print(json.dumps({"kinds": known}, indent=1, ensure_ascii=False))
        return
    sys.stdout.write(render_overview(known, console_width=width(), color=color))


def _write_json(entries: Sequence[Entry]) -> None:
    print(json.dumps({"entries": [dataclasses.asdict(entry) for entry in entries]}, indent=1, ensure_ascii=False))
