"""Text of strangers made fit for a terminal: nothing invisible, columns counted as they are drawn."""

from __future__ import annotations

import re
import unicodedata


def cleaned(text: str) -> str:
    """The text without control, bidirectional and zero-width characters, on one line."""
    if text.isascii() and text.isprintable():
        return text
    return _UNFIT.sub("", _BREAKS.sub(" ", text))


def drawn(character: str) -> str:
    """One character of a source line as it is drawn: a tab as four spaces, what cannot be seen as a box."""
    if character == "\t":
        return "    "
    return "\ufffd" if _UNFIT.match(character) else character


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character) or "\ufe00" <= character <= "\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def clipped(text: str, width: int) -> str:
    """The text cut to a number of columns, with an ellipsis if it was longer."""
    if columns(text) <= width:
        return text
    kept = ""
    for character in text:
        if columns(kept) + _width(character) > width - 1:
            break
        kept += character
    return kept + "…"


_BREAKS = re.compile("[\t\r\n\v\f\x85\u2028\u2029]+")
_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
