"""A spec with its words in colour: YAML told apart by eye, not by a parser; whatever it is, it is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from runexp.report.characters import cleaned

_TOKEN = re.compile(
    r"""(?P<comment>(?:(?<=\s)|^)\#.*$)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')
      | (?P<key>[A-Za-z_$][\w$.\-/*]*(?=\s*:(?:\s|$)))
      | (?P<reference>\$\{[^}]*\}|[&*][\w-]+)
      | (?P<number>(?<![\w.])[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
      | (?P<word>(?<![\w.])(?:true|false|null|~)(?![\w.]))""",
    re.VERBOSE,
)


def highlighted(text: str) -> str:
    """The text as HTML, a span with a class around each word that has a meaning."""
    return "\n".join("".join(_line(cleaned(line))) for line in text.splitlines())


def _line(line: str) -> Iterator[str]:
    end = 0
    for found in _TOKEN.finditer(line):
        yield escape(line[end : found.start()])
        yield f'<span class="y-{found.lastgroup}">{escape(found[0])}</span>'
        end = found.end()
    yield escape(line[end:])
