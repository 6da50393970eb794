"""The five ways to write a scalar: plain, in single or double quotes, literal and folded blocks."""

from __future__ import annotations

import re

from runexp.source.cursor import Cursor
from runexp.source.limits import MAX_SCALAR


def single_quoted(cursor: Cursor) -> str:
    """The text between single quotes at the cursor, which moves behind them."""
    body = _body(cursor, _SINGLE)
    return _BREAKS.sub(_fold, body.replace("''", "'")) if "\n" in body else body.replace("''", "'")


def double_quoted(cursor: Cursor) -> str:
    """The text between double quotes at the cursor, escapes resolved; the cursor moves behind them."""
    start = cursor.pos
    body = _body(cursor, _DOUBLE)
    if "\\" not in body:
        return _BREAKS.sub(_fold, body) if "\n" in body else body

    def written(match: re.Match[str]) -> str:
        text = match.group()
        return _unescape(cursor, text, start + 1 + match.start()) if text[0] == "\\" else _fold(match)

    text = _ESCAPES_AND_BREAKS.sub(written, body)
    return _join_surrogates(cursor, text, start)


def plain(cursor: Cursor, *, indent: int, flow: bool) -> str:
    """The unquoted text at the cursor, over as many lines as are indented deeper than `indent`."""
    pattern = _PLAIN_IN_FLOW if flow else _PLAIN
    more = _PLAIN_MORE_IN_FLOW if flow else _PLAIN_MORE
    start = cursor.pos
    match = pattern.match(cursor.text, start)
    if match is None:
        return ""
    cursor.pos = match.end()
    parts = [match.group()]
    while (gap := _LINE_GAP.match(cursor.text, cursor.pos)) is not None:
        line = gap.end()
        column = line - cursor.text.rfind("\n", cursor.pos, line) - 1
        found = more.match(cursor.text, line) if column > indent and not _marker(cursor, line, column) else None
        if found is None:
            break
        cursor.move_to(found.end())
        breaks = gap.group().count("\n")
        parts += [" " if breaks == 1 else "\n" * (breaks - 1), found.group()]
        _refuse_long(cursor, start, cursor.pos)
    _refuse_long(cursor, start, cursor.pos)
    return "".join(parts)


def block(cursor: Cursor, *, indent: int) -> tuple[str, int]:
    """A `|` or `>` scalar at the cursor, its parent indented by `indent`; and where its text ends."""
    header = _HEADER.match(cursor.text, cursor.pos)
    if header is None:
        cursor.fail(
            "yaml-syntax",
            f"text cannot follow `{cursor.char}` on its line",
            cursor.pos,
            help=f"begin the text on the next line, or quote a value that begins with `{cursor.char}`",
        )
    digit = header["digit_first"] or header["digit_last"]
    chomp = header["chomp_first"] or header["chomp_last"] or ""
    least = max(indent, 0) + int(digit) if digit else None
    lines, end = _block_lines(cursor, header.end(), least, indent)
    _refuse_long(cursor, header.end(), end)
    folded = cursor.char == ">"
    cursor.move_to(end)
    while lines and not lines[-1]:
        lines.pop()
    trailing = cursor.text.count("\n", header.end(), end) - len(lines)
    body = (_folded(lines) if folded else "\n".join(lines)) if lines else ""
    if chomp == "+":
        return body + "\n" * (trailing + bool(lines)), end - trailing
    return body + ("\n" if lines and chomp == "" else ""), max(end - trailing - 1, header.end() - 1)


def _body(cursor: Cursor, pattern: re.Pattern[str]) -> str:
    start = cursor.pos
    match = pattern.match(cursor.text, start)
    if match is None:
        quote = cursor.text[start]
        line_end = cursor.text.index("\n", start)
        cursor.fail(
            "unclosed",
            f"the quote `{quote}` is never closed",
            start,
            start + 1,
            label="opened here",
            help=f"close it with {quote} at the end of the text" if line_end > start else "",
        )
    _refuse_long(cursor, start, match.end())
    cursor.move_to(match.end())
    return match.group()[1:-1]


def _refuse_long(cursor: Cursor, start: int, end: int) -> None:
    if end - start > MAX_SCALAR:
        cursor.fail(
            "limit-exceeded",
            f"a value is longer than {MAX_SCALAR // 1024} KiB",
            start,
            start + 1,
            label="begins here",
            help="keep long texts and data in files of their own",
        )


def _fold(match: re.Match[str]) -> str:
    breaks = match.group().count("\n")
    if breaks == 0:
        return match.group()
    return " " if breaks == 1 else "\n" * (breaks - 1)


def _unescape(cursor: Cursor, text: str, offset: int) -> str:
    if text[1] in _ESCAPED:
        return _ESCAPED[text[1]]
    if text[1] == "\n":
        return "\n" * (text.count("\n") - 1)
    code = int(text[2:], 16) if len(text) > 2 else -1
    if 0 <= code <= 0x10FFFF:
        return chr(code)
    cursor.fail(
        "bad-escape",
        f"`{text}` is not an escape" if len(text) == 2 else f"`{text}` is not a character",
        offset,
        offset + len(text),
        help="write `\\\\` for a backslash, or use single quotes, where nothing is escaped",
    )


def _join_surrogates(cursor: Cursor, text: str, start: int) -> str:
    if not _SURROGATE.search(text):
        return text
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        cursor.fail("bad-escape", "half of a surrogate pair is not a character", start, start + 1)


def _block_lines(cursor: Cursor, pos: int, least: int | None, indent: int) -> tuple[list[str], int]:
    lines: list[str] = []
    while pos < cursor.end:
        stop = cursor.text.index("\n", pos)
        line = cursor.text[pos:stop]
        spaces = len(line) - len(line.lstrip(" "))
        if spaces < len(line):
            if least is None and spaces > indent and not _marker(cursor, pos, spaces):
                least = spaces
            if least is None or spaces < least or _marker(cursor, pos, spaces):
                break
        lines.append(line[least:] if least is not None else "")
        pos = stop + 1
    return lines, min(pos, cursor.end + 1)


def _folded(lines: list[str]) -> str:
    parts: list[str] = []
    blanks, after_indented = 0, True
    for line in lines:
        if not line:
            blanks += 1
            continue
        indented = line[0] in " \t"
        if not parts:
            parts.append("\n" * blanks)
        elif indented or after_indented:
            parts.append("\n" * (blanks + 1))
        else:
            parts.append("\n" * blanks or " ")
        parts.append(line)
        blanks, after_indented = 0, indented
    return "".join(parts)


def _marker(cursor: Cursor, pos: int, column: int) -> bool:
    return column == 0 and cursor.text[pos : pos + 3] in ("---", "...") and cursor.text[pos + 3] in " \t\n"


_SINGLE = re.compile(r"'(?:[^']++|'')*+'")
_DOUBLE = re.compile(r'"(?:[^"\\]++|\\[^\0])*+"')
_BREAKS = re.compile(r"[ \t]*+\n[ \t\n]*+|[ \t]++")
_ESCAPES_AND_BREAKS = re.compile(
    r"\\(?:\n[ \t\n]*+|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|[ \t]*+\n[ \t\n]*+|[ \t]++",
    re.DOTALL,
)
_ESCAPED = {
    **dict(zip("0abtnvfre", "\0\a\b\t\n\v\f\r\x1b", strict=True)),
    **{same: same for same in ' "/\\\t'},
    **{"N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029"},
}
_SURROGATE = re.compile("[\ud800-\udfff]")
_PLAIN_FIRST = r"(?:[^ \t\n\0\-?:,\[\]{}#&*!|>'\"%@`]|[-?:](?=[^ \t\n\0]))"
_PLAIN_REST = r"(?:[^ \t\n\0:#]++|:(?=[^ \t\n\0])|(?<![ \t\n])\#|[ \t]++(?=[^ \t\n\0#:]|:[^ \t\n\0]))*+"
_PLAIN = re.compile(_PLAIN_FIRST + _PLAIN_REST)
_PLAIN_MORE = re.compile(r"(?=[^ \t\n\0#])" + _PLAIN_REST)
_FLOW_FIRST = r"(?:[^ \t\n\0\-?:,\[\]{}#&*!|>'\"%@`]|[-?:](?=[^ \t\n\0,\[\]{}]))"
_FLOW_REST = (
    r"(?:[^ \t\n\0:#,\[\]{}]++|:(?=[^ \t\n\0,\[\]{}])|(?<![ \t\n])\#"
    r"|[ \t]++(?=[^ \t\n\0#:,\[\]{}]|:[^ \t\n\0,\[\]{}]))*+"
)
_PLAIN_IN_FLOW = re.compile(_FLOW_FIRST + _FLOW_REST)
_PLAIN_MORE_IN_FLOW = re.compile(r"(?=[^ \t\n\0#,\[\]{}:]|:[^ \t\n\0,\[\]{}])" + _FLOW_REST)
_LINE_GAP = re.compile(r"[ \t]*+\n(?:[ \t]*+\n)*+[ \t]*+")
_HEADER = re.compile(
    r"[|>](?:(?P<digit_first>[1-9])(?P<chomp_last>[+-])?|(?P<chomp_first>[+-])(?P<digit_last>[1-9])?)?"
    r"[ \t]*+(?:(?<=[ \t])#[^\n]*+)?\n"
)
