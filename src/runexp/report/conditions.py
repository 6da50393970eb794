"""What is wrong with a condition of the command line, with a mark below its place."""

from __future__ import annotations

from collections.abc import Iterable

from runexp.report.characters import cleaned, columns
from runexp.results.conditions import ConditionError


def render_mistakes(mistakes: Iterable[tuple[str, str, ConditionError]]) -> str:
    """Each mistake with the option it stands in, the text of that, and a mark."""
    return "".join(_rendered(*mistake) for mistake in mistakes)


def _rendered(option: str, text: str, mistake: ConditionError) -> str:
    lead = f"  {option}  "
    before, marked = cleaned(text[: mistake.start]), cleaned(text[mistake.start : mistake.end])
    mark = " " * (len(lead) + columns(before)) + "^" * max(1, columns(marked))
    help = f"  = help: {cleaned(mistake.help)}\n" if mistake.help else ""
    return f"error: {cleaned(mistake.message)}\n{lead}{cleaned(text)}\n{mark}\n{help}"
