"""A place in the text that moves forward over blanks and comments, and fails with a located diagnostic."""

from __future__ import annotations

import re
from typing import NoReturn

from runexp.diagnostics import Diagnostic, Related
from runexp.source.text import SourceText, UnreadableError


class Cursor:
    """The offset the parser stands at; `text` ends with a line feed and a NUL, which no spec holds."""

    __slots__ = ("end", "line_start", "pos", "source", "text")

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.end = len(source.text)
        self.text = source.text + "\n\0"
        self.pos = 0
        self.line_start = 0

    @property
    def column(self) -> int:
        """Characters between the start of the line and the cursor."""
        return self.pos - self.line_start

    @property
    def char(self) -> str:
        """The character at the cursor; NUL at the end."""
        return self.text[self.pos]

    def move_to(self, pos: int) -> None:
        """Go forward to an offset, possibly over line ends."""
        newline = self.text.rfind("\n", self.pos, pos)
        if newline >= 0:
            self.line_start = newline + 1
        self.pos = pos

    def rewind(self, pos: int) -> None:
        """Go back to an offset."""
        self.pos = pos
        self.line_start = self.text.rfind("\n", 0, pos) + 1

    def skip_blanks(self) -> bool:
        """Go over spaces, comments and empty lines; true if a new line was begun."""
        match = _GAP.match(self.text, self.pos)
        if match is None or match.end() == self.pos:
            return False
        before = self.line_start
        self.move_to(match.end())
        return self.line_start != before

    def refuse_tab_indent(self) -> None:
        """Fail if the line's indentation up to the cursor holds a tab."""
        if "\t" not in self.text[self.line_start : self.pos] or self.at_end():
            return
        tab = self.text.index("\t", self.line_start)
        self.fail(
            "tab-indentation",
            "a line is indented with a tab",
            tab,
            tab + 1,
            label="a tab",
            help="indent with spaces; two for each level are usual",
        )

    def at_end(self) -> bool:
        """Whether no content is left, or a document marker stands here."""
        if self.text[self.pos] == "\0" or self.pos >= self.end:
            return True
        return self.pos == self.line_start and _MARKER.match(self.text, self.pos) is not None

    def fail(
        self,
        code: str,
        message: str,
        start: int,
        end: int | None = None,
        *,
        label: str = "",
        help: str = "",
        related: tuple[Related, ...] = (),
    ) -> NoReturn:
        """Raise `UnreadableError` with a diagnostic between two offsets."""
        start = min(start, self.end)
        span = self.source.span(start, min(max(end if end is not None else start + 1, start), max(self.end, start)))
        raise UnreadableError(Diagnostic(code, message, span, label=label, help=help, related=related))


_GAP = re.compile(r"[ \t]*+(?:(?<![^ \t\n])#[^\n]*+)?(?:\n[ \t]*+(?:#[^\n]*+)?)*+")
_MARKER = re.compile(r"(?:---|\.\.\.)(?=[ \t\n])")
