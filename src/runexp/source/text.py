"""Text with line and column arithmetic, and the check that it holds nothing invisible."""

from __future__ import annotations

import re
from bisect import bisect_right

from runexp.diagnostics import Diagnostic, Span
from runexp.source.limits import MAX_BYTES


class UnreadableError(Exception):
    """Reading cannot go on past this place; carries the one diagnostic that says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class SourceText:
    """A text and the file it is shown under; turns offsets into spans."""

    __slots__ = ("_starts", "file", "text")

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def line_of(self, offset: int) -> int:
        """The line an offset stands on, counted from 1."""
        return bisect_right(self._starts, offset)

    def span(self, start: int, end: int) -> Span:
        """The span from offset `start` up to, not including, offset `end`."""
        line = bisect_right(self._starts, start)
        column = start - self._starts[line - 1] + 1
        if line == len(self._starts) or end < self._starts[line]:
            return Span(self.file, line, column, line, column + end - start)
        end_line = bisect_right(self._starts, end)
        return Span(self.file, line, column, end_line, end - self._starts[end_line - 1] + 1)


def decode(data: bytes, file: str) -> SourceText:
    """Bytes as checked text with `\\n` line ends; raises `UnreadableError` for what a spec may not hold."""
    if len(data) > MAX_BYTES:
        raise UnreadableError(_too_large(file))
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableError(_not_utf8(file, Span(file, 1, 1, 1, 2)))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = SourceText(file, _with_plain_ends(data[: error.start].decode("utf-8")))
        at = before.span(len(before.text), len(before.text) + 1)
        raise UnreadableError(_not_utf8(file, at)) from None
    return checked(text, file)


def checked(text: str, file: str) -> SourceText:
    """Text without a byte order mark and with `\\n` line ends; raises `UnreadableError` for invisible ones."""
    if len(text) > MAX_BYTES:
        raise UnreadableError(_too_large(file))
    source = SourceText(file, _with_plain_ends(text.removeprefix("\ufeff")))
    found = INVISIBLE.search(source.text)
    if found:
        raise UnreadableError(
            Diagnostic(
                "bad-character",
                f"the character U+{ord(found.group()):04X} is not allowed in a spec",
                source.span(found.start(), found.end()),
                label="this character cannot be seen",
                help="remove it; inside double quotes it can be written as an escape such as `\\u200b`",
            )
        )
    return source


def _with_plain_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _too_large(file: str) -> Diagnostic:
    return Diagnostic(
        "limit-exceeded",
        f"the spec is larger than {MAX_BYTES // 1024} KiB",
        Span(file, 1, 1, 1, 1),
        help="keep data in files of its own and name them in the spec",
    )


def _not_utf8(file: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "not-utf8",
        f"`{file}` is not UTF-8 text",
        span,
        label="not valid UTF-8 from here",
        help="save the file with the encoding UTF-8",
    )


# Controls but tab and line feed; zero-width, bidirectional, line-separating, tag characters; surrogates.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
