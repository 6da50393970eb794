"""A diagnostic drawn as rustc draws it: the sentence, the place, the line with carets, what helps."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from runexp.diagnostics import Diagnostic, Related, Span
from runexp.records import dataclass
from runexp.report.characters import cleaned, clipped, columns, drawn

Lines = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Painter:
    """Paints with ANSI codes, or leaves text as it is."""

    color: bool

    def paint(self, text: str, style: str) -> str:
        """The text in a style: `error`, `warning`, `note`, `gutter` or `bold`."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.color and text else text


@dataclass(frozen=True, slots=True)
class _Mark:
    """A place to show, its label, and the character that underlines it."""

    span: Span
    label: str
    stroke: str
    style: str


def block(one: Diagnostic, lines: Lines, painter: Painter, width: int) -> str:
    """One diagnostic, ended by a line feed."""
    head = painter.paint(f"{one.severity.value}[{one.code}]", one.severity.value)
    message = clipped(cleaned(one.message), 4 * width)
    first, *rest = _wrapped(message, width, columns(f"{one.severity.value}[{one.code}]: "), hanging=0)
    drawing = [f"{head}: {painter.paint(first, 'bold')}", *(painter.paint(line, "bold") for line in rest)]
    marks = _marks(one)
    gutter = max((len(str(mark.span.line)) for mark in marks), default=1)
    drawing += _snippets(marks, lines, painter, width, gutter)
    for kind, text in (("help", one.help), ("note", f"runexp explain {one.code}")):
        drawing += _advice(kind, cleaned(text), painter, width, gutter)
    return "\n".join(drawing) + "\n"


def summary(diagnostics: Sequence[Diagnostic], n_shown: int, painter: Painter) -> str:
    """The count that ends a report, such as `2 errors, 1 warning`."""
    n_errors = sum(one.is_error for one in diagnostics)
    n_warnings = len(diagnostics) - n_errors
    parts = [(n_errors, "error"), (n_warnings, "warning")]
    counts = [painter.paint(f"{n} {word}{'s' if n != 1 else ''}", word) for n, word in parts if n]
    hidden = len(diagnostics) - n_shown
    more = f" ({hidden} not shown)" if hidden > 0 else ""
    return ", ".join(counts) + more + "\n"


def _marks(one: Diagnostic) -> list[_Mark]:
    if one.span is None:
        return []
    primary = _Mark(one.span, cleaned(one.label), "^", one.severity.value)
    return [primary, *(_related(related) for related in one.related)]


def _related(related: Related) -> _Mark:
    return _Mark(related.span, cleaned(related.message), "-", "note")


def _snippets(marks: Sequence[_Mark], lines: Lines, painter: Painter, width: int, gutter: int) -> list[str]:
    """The first place, then those in the same file by line, then the others, each file with its own arrow."""
    if not marks:
        return []
    drawing: list[str] = []
    primary = marks[0]
    for file in dict.fromkeys(mark.span.file for mark in marks):
        here = [mark for mark in marks if mark.span.file == file]
        first = primary if primary in here else here[0]
        arrow = "-->" if first is primary else ":::"
        place = f"{cleaned(file)}:{first.span.line}:{first.span.column}"
        drawing.append(f"{' ' * gutter}{painter.paint(arrow, 'gutter')} {place}")
        drawing += _lines(sorted(here, key=_line_of), lines.get(file, ()), painter, width, gutter)
    return drawing


def _lines(marks: Sequence[_Mark], text: Sequence[str], painter: Painter, width: int, gutter: int) -> list[str]:
    bar = painter.paint(f"{' ' * gutter} |", "gutter")
    drawing: list[str] = []
    last = 0
    for mark in marks:
        number = mark.span.line
        if not 0 < number <= len(text):
            drawing += [f"{bar} {mark.label}"] if mark.label and mark.stroke == "-" else []
            continue
        if not last:
            drawing.append(bar)
        elif number > last + 1:
            drawing.append(painter.paint("...", "gutter"))
        shown, before, wide = _window(text[number - 1], mark.span, width - gutter - 4 - _room(mark, width))
        if number != last:
            drawing.append(f"{painter.paint(f'{number:>{gutter}} |', 'gutter')} {shown}".rstrip())
        drawing += [f"{bar} {line}" for line in _stroke(mark, before, wide, width - gutter - 3, painter)]
        last = number
    return drawing


def _stroke(mark: _Mark, before: int, wide: int, room: int, painter: Painter) -> list[str]:
    """The carets with the label beside them, or below where it does not fit."""
    beside = " ".join(filter(None, (mark.stroke * wide, mark.label)))
    if before + columns(beside) <= room:
        return [" " * before + painter.paint(beside, mark.style)]
    label = clipped(mark.label, room)
    below = " " * max(min(before, room - columns(label)), 0) + painter.paint(label, mark.style)
    return [" " * before + painter.paint(mark.stroke * wide, mark.style), below]


def _line_of(mark: _Mark) -> tuple[int, int]:
    return mark.span.line, mark.span.column


def _room(mark: _Mark, width: int) -> int:
    """Columns kept free for a label to the right of the carets."""
    return min(columns(mark.label) + 1, width // 3) if mark.label else 0


def _window(line: str, span: Span, room: int) -> tuple[str, int, int]:
    """What of a source line is shown, the columns before its marked part and the columns that takes.

    A line that is too long is cut around the span; a span over several lines is marked to the end of its first.
    """
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    pieces = [drawn(character) for character in line[: max(end, start) + 200]]
    begin = _window_start(pieces, start, min(max(end, start), len(pieces)), room)
    lead = "…" if begin else ""
    before = columns("".join(pieces[begin:start])) + len(lead)
    marked = columns("".join(pieces[start : max(end, start)]))
    shown = lead + "".join(pieces[begin:])
    shown += line[len(pieces) :][:1] and "…"
    return clipped(shown, room), before, max(1, min(marked, room - before))


def _window_start(pieces: Sequence[str], start: int, end: int, room: int) -> int:
    """The first character to show: 0 if the marked part fits, else some context before it."""
    if columns("".join(pieces[:end])) <= room - 1:
        return 0
    marked = columns("".join(pieces[start:end]))
    context = min(max(room - marked - 2, 8), room // 3)
    begin = start
    while begin > 0 and columns("".join(pieces[begin - 1 : start])) <= context:
        begin -= 1
    return begin


def _advice(kind: str, text: str, painter: Painter, width: int, gutter: int) -> list[str]:
    if not text:
        return []
    lead = f"{' ' * gutter} = "
    indent = len(lead) + len(kind) + 2
    first, *rest = _wrapped(clipped(text, 8 * width), width, indent, hanging=indent)
    mark = painter.paint("=", "gutter")
    drawing = [f"{' ' * gutter} {mark} {painter.paint(kind, 'bold')}: {first}"]
    return [*drawing, *rest]


def _wrapped(text: str, width: int, indent: int, *, hanging: int) -> list[str]:
    """The text on lines that fit; the first leaves `indent` columns free. A word is never torn."""
    lines = textwrap.wrap(
        text,
        width,
        initial_indent=" " * indent,
        subsequent_indent=" " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [lines[0][indent:], *lines[1:]] if lines else [""]


_STYLES = {"error": "1;31", "warning": "1;33", "note": "1;34", "gutter": "1;34", "bold": "1"}
