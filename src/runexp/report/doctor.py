"""The environment on a terminal: what was looked at, what was found, what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from runexp.report.page import named, styled, to_text
from runexp.report.wording import counted

State = Literal["ok", "note", "missing"]
_STYLES: dict[State, str] = {"ok": "green", "note": "yellow", "missing": "bold red"}


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
        members = [finding for finding in findings if finding.group == group]
        parts += [*([""] if parts else []), styled(named(group)), Padding(_table(members), (0, 0, 0, 2))]
    n_missing = sum(finding.state == "missing" for finding in findings)
    verdict = ("everything runs need is here", "green")
    if n_missing:
        verdict = (f"{counted(n_missing, 'thing')} that runs need {'is' if n_missing == 1 else 'are'} missing", "red")
    return to_text([*parts, "", styled(verdict)], console_width=console_width, color=color)


def _table(findings: Sequence[Finding]) -> Table:
    """A line a finding, its help below the text."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for finding in findings:
        table.add_row(Text(finding.state, _STYLES[finding.state]), styled(finding.name), styled((finding.text, "dim")))
        if finding.help:
            table.add_row("", "", styled(finding.help))
    return table
