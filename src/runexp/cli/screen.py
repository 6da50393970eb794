"""What goes to the terminal: results to standard output, talk to standard error, width and colour as they are."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from runexp.diagnostics import Diagnostic

_LONGEST_SOURCE = 1 << 20
Form = Literal["text", "json", "sarif", "github"]


def wants_color(stream: TextIO, *, no_color: bool) -> bool:
    """Whether a stream is shown in colour: a terminal that nobody asked to keep plain."""
    return stream.isatty() and not no_color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def can_draw(stream: TextIO) -> bool:
    """Whether a stream can hold the blocks of which curves are drawn; ASCII stands for them otherwise."""
    try:
        "▁█├→…·".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def width() -> int:
    """Columns of the terminal; 100 in a pipe unless COLUMNS says otherwise."""
    written = os.environ.get("COLUMNS", "")
    if written.isdecimal() and int(written) > 0:
        return int(written)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else 1).columns or 100
    except (OSError, ValueError):
        return 100


def show_diagnostics(
    found: Sequence[Diagnostic],
    files: Mapping[str, str],
    *,
    form: Form = "text",
    no_color: bool = False,
    stream: TextIO | None = None,
    also: Mapping[str, object] | None = None,
) -> None:
    """Write diagnostics to standard error (or `stream`); `also` goes into the JSON document."""
    from runexp.report.diagnostics import render

    target = stream or sys.stderr
    if found or form != "text":
        color = wants_color(target, no_color=no_color)
        text = render(found, {**_sources(found), **files}, format=form, color=color, width=width(), also=also)
        target.write(text if text.endswith("\n") else f"{text}\n")


def _sources(found: Sequence[Diagnostic]) -> dict[str, str]:
    """The texts of files of code that diagnostics point into, so that their lines can be shown."""
    names = {place.span.file for one in found for place in one.related if place.span.file.endswith(".py")}
    texts = {}
    for name in names:
        try:
            with open(name, encoding="utf-8") as stream:
                texts[name] = stream.read(_LONGEST_SOURCE)
        except (OSError, ValueError):
            continue  # its line and column are told all the same
    return texts


def say_on_terminal(text: str, *, quiet: bool) -> None:
    """Write a line of talk where a person waits for what takes seconds; nothing in a pipe."""
    if sys.stderr.isatty() and not quiet:
        say(text)


def say(text: str, stream: TextIO | None = None) -> None:
    """Write one line of talk to standard error (or `stream`)."""
    print(text, file=stream or sys.stderr)
