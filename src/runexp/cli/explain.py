"""`runexp explain`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from runexp.cli.options import Format, NoColor
from runexp.cli.screen import say, wants_color, width

if TYPE_CHECKING:  # imported by the functions, to start fast
    from runexp.report.explanations import Explanation

Code = Annotated[
    str | None,
    typer.Argument(metavar="CODE", help="The word in brackets, or a built-in callback; left out: all words."),
]
Form = Annotated[Format, typer.Option("--format", help="text or json.")]


def explain(code: Code = None, *, form: Form = Format.TEXT, no_color: NoColor = False) -> None:
    """Say what a diagnostic means, why it is one, and how to mend it; or what a built-in callback does.

    Without a code: list all diagnostics. `runexp catalog --kind callback` lists the callbacks.
    """
    from runexp.report.explanations import explanations

    if code is None:
        _list(form)
        return
    pages = {page.code: page for page in explanations()}
    if code not in pages:
        return _explain_callback(code, list(pages), form, no_color=no_color)
    if form is Format.JSON:
        print(json.dumps({"version": 1, **_facts(pages[code]), "page": pages[code].text}, ensure_ascii=False, indent=2))
    else:
        _show(pages[code].text, no_color=no_color)


def _explain_callback(name: str, codes: list[str], form: Format, *, no_color: bool) -> None:
    """The page of a callback that runexp brings; leaves with 2 for what is neither that nor a code."""
    from runexp.report.callback_pages import callback_pages

    pages = {page.name: page for page in callback_pages()}
    if name not in pages:
        _refuse(name, [*codes, *pages])
    if form is Format.JSON:
        page = pages[name]
        facts = {"version": 1, "callback": name, "levels": page.levels, "summary": page.summary, "page": page.text}
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        _show(pages[name].text, no_color=no_color)


def _show(text: str, *, no_color: bool) -> None:
    """Drawn on a terminal, as it is written in a pipe."""
    if not sys.stdout.isatty():
        sys.stdout.write(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    colored = wants_color(sys.stdout, no_color=no_color)
    console = Console(no_color=not colored, width=min(width(), 120), highlight=False)
    console.print(Markdown(text, code_theme="ansi_dark"))


def _list(form: Format) -> None:
    import textwrap

    from runexp.report.explanations import by_area, explanations

    if form is Format.JSON:
        listed = {"version": 1, "codes": [_facts(page) for page in explanations()]}
        print(json.dumps(listed, ensure_ascii=False, indent=2))
        return
    columns = max(width(), 40)
    for number, (area, pages) in enumerate(by_area()):
        print(("\n" if number else "") + area)
        for page in pages:
            summary = textwrap.wrap(page.summary, columns - _INDENT, break_long_words=False)
            lead = f"  {page.code}"
            if len(lead) < _INDENT - 1 and columns >= _WIDE:
                print(f"{lead:<{_INDENT}}{summary[0]}")
                rest = [f"{'':<{_INDENT}}{line}" for line in summary[1:]]
            else:
                rest = [lead, *textwrap.wrap(page.summary, columns, initial_indent="    ", subsequent_indent="    ")]
            for line in rest:
                print(line)


def _refuse(code: str, known: list[str]) -> None:
    from runexp.diagnostics import nearest

    close = nearest(code, known)
    guess = f"did you mean `{close}`? " if close else ""
    say(f"error: there is no diagnostic `{code}`, nor a callback of that name")
    say(f"  = help: {guess}`runexp explain` lists all of them")
    raise typer.Exit(2)


def _facts(page: Explanation) -> dict[str, str]:
    return {"code": page.code, "severity": page.severity.value, "area": page.area, "summary": page.summary}


_INDENT = 24
_WIDE = 70
