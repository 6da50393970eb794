"""Rich renderables → text of a given width: with colour for a terminal, without for a pipe."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from runexp.report.wording import harmless, plain

# One character for one, so that columns stay aligned where the output cannot hold more than ASCII.
_ASCII = str.maketrans("▁▂▃▄▅▆▇█├└│─→←…·", "_.,-=+*#+`|-><~-")
_ANY_HEIGHT = 1000


def to_text(parts: Iterable[RenderableType], *, console_width: int, color: bool, unicode: bool = True) -> str:
    """The parts below each other, without trailing blanks, ending in a newline.

    Nothing of the environment counts: the same parts give the same text. `unicode=False` keeps to ASCII.
    """
    console = Console(
        file=StringIO(),
        width=console_width,
        height=_ANY_HEIGHT,  # with both given, a dumb terminal is not taken for 80 wide
        force_terminal=color,
        force_jupyter=False,
        force_interactive=False,
        color_system="standard" if color else None,
        no_color=not color,
        legacy_windows=False,
        markup=False,
        highlight=False,
        emoji=False,
        record=False,
    )
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    text = "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
    return text if unicode else text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def styled(*parts: str | tuple[str, str]) -> Text:
    """One text of plain and styled parts; (text, style). Markup and control characters mean nothing here."""
    text = Text(overflow="fold")
    for part in parts:
        content, style = (part, "") if isinstance(part, str) else part
        text.append(harmless(content), style or None)
    return text


def indented(line: Text, by: int = 2) -> Padding:
    """The line moved to the right, and so is what of it wraps."""
    return Padding(line, (0, 0, 0, by))


def named(name: object, style: str = "bold") -> tuple[str, str]:
    """A name out of the user's hand, ready for `styled`."""
    return plain(name), style
