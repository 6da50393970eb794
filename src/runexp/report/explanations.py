"""The pages that say of each diagnostic code what is wrong, why that matters, and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby

from runexp.diagnostics import Severity

AREAS = (
    "YAML",
    "Files, overrides and references",
    "Shape of the spec",
    "Names",
    "Catalog",
    "Data",
    "Graph and phases",
    "Data that is read",
    "Start of a run",
    "Deep check",
    "Spec from a table",
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The page of one code, in Markdown; `summary` is its first sentence, `area` the part of the language."""

    code: str
    severity: Severity
    area: str
    summary: str
    text: str


@cache
def explanations() -> tuple[Explanation, ...]:
    """Every page, by area and then by code."""
    pages = (page for page in files("runexp.report").joinpath("pages").iterdir() if page.name.endswith(".md"))
    found = [_explanation(page.name.removesuffix(".md"), page.read_text(encoding="utf-8")) for page in pages]
    return tuple(sorted(found, key=lambda one: (AREAS.index(one.area), one.code)))


def by_area() -> Iterator[tuple[str, tuple[Explanation, ...]]]:
    """Each area with its pages."""
    for area, pages in groupby(explanations(), key=lambda one: one.area):
        yield area, tuple(pages)


def index_markdown() -> str:
    """The pages listed by area, each with its summary and a link to its file."""
    parts = ["# Diagnostics\n\nWhat runexp can find wrong, by area. `runexp explain CODE` prints a page.\n"]
    for area, pages in by_area():
        rows = [f"- [{one.code}]({one.code}.md){_MARKS[one.severity]}: {one.summary}" for one in pages]
        parts.append(f"## {area}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _explanation(code: str, text: str) -> Explanation:
    match = _HEAD.match(text)
    if match is None or match["code"] != code or match["area"] not in AREAS:
        raise ValueError(f"the page of {code} does not begin as every page does")
    return Explanation(code, Severity(match["severity"]), match["area"], " ".join(match["summary"].split()), text)


_HEAD = re.compile(r"# (?P<code>\S+)\n\n\*(?P<severity>\w+) · (?P<area>[^*]+)\*\n\n(?P<summary>.+?)\n\n", re.DOTALL)
_MARKS = {Severity.ERROR: "", Severity.WARNING: " (warning)"}
