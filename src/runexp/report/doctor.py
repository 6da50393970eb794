"""The environment on a terminal: what was looked at, what was found, what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import RenderableType

from runexp.report.page import indented, named, styled, to_text
from runexp.report.wording import counted

State = Literal["ok", "note", "missing"]
_MARKS: dict[State, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "note": ("note", "yellow"),
    "missing": ("missing", "bold red"),
}
_MARK_WIDTH = 7


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `missing` is what runs need and is not there; `note` is worth knowing."""

    group: str
    name: str
    state: State
    text: str
    help: str = ""


def render_doctor(findings: Sequence[Finding], *, console_width: int, color: bool) -> str:
    """Everything found, group by group, and a line that sums it up."""
    parts: list[RenderableType] = []
    for group in dict.fromkeys(finding.group for finding in findings):
        parts += ["", styled(named(group))] if parts else [styled(named(group))]
        parts += [line for finding in findings if finding.group == group for line in _lines(finding)]
    n_missing = sum(finding.state == "missing" for finding in findings)
    verdict = ("everything runs need is here", "green")
    if n_missing:
        verdict = (f"{counted(n_missing, 'thing')} that runs need {'is' if n_missing == 1 else 'are'} missing", "red")
    return to_text([*parts, "", styled(verdict)], console_width=console_width, color=color)


def _lines(finding: Finding) -> list[RenderableType]:
    word, style = _MARKS[finding.state]
    lines: list[RenderableType] = [
        indented(styled((word.ljust(_MARK_WIDTH), style), "  ", finding.name, "  ", (finding.text, "dim")))
    ]
    return [*lines, indented(styled(finding.help), 4 + _MARK_WIDTH)] if finding.help else lines
