"""Bad specs as tables: what is changed in which good spec, which codes that gives, and where.

A family is a text file. A line `spec NAME` names the good spec that follows; every other line is one case:

    code, code | old => new && old => new | text

Each `old` stands once in the good spec; `⏎` is a line end, `⇥` a tab, `$` its end and `^` its beginning. `«` and `»`
in `new` enclose what the message must point at, one pair a code, in document order; `«` alone marks a place without
saying how far it goes. A code with `~` is a warning. `text` has to be in the message or the help of the last code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
GOOD = {
    path.stem: path
    for folder in (HERE / "good", HERE.parent / "compiler/fixtures", HERE.parents[1] / "specs")
    for path in folder.glob("*.yaml")
    if folder.name != "fixtures" or path.stem == "base"
}


@dataclass(frozen=True)
class Place:
    """What a diagnostic points at; the end is exclusive, and 0, 0 where the case does not say it."""

    line: int
    column: int
    end_line: int = 0
    end_column: int = 0


@dataclass(frozen=True)
class Case:
    """One bad spec: its text, and the (severity, code, place) of every diagnostic it must give."""

    title: str
    text: str
    expected: tuple[tuple[str, str, Place], ...]
    words: str


def families() -> dict[str, list[Case]]:
    """Every table, by its name."""
    return {path.stem: read(path) for path in sorted((HERE / "families").glob("*.txt"))}


def read(path: Path) -> list[Case]:
    """The cases of one table."""
    cases, good = [], ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("spec "):
            good = GOOD[line[5:].strip()].read_text(encoding="utf-8")
        elif line and not line.startswith("# "):
            cases.append(_case(f"{path.stem}:{number}", line, good))
    return cases


def _case(title: str, line: str, good: str) -> Case:
    codes, changes, *words = line.split(" | ")
    text = good
    for change in changes.split(" && "):
        old, new = (part.replace("⏎", "\n").replace("⇥", "\t") for part in change.split(" => "))
        text = _changed(text, old, new, title)
    marked, plain = places(text)
    named = [code.strip() for code in codes.split(",")]
    assert len(marked) == len(named), f"{title}: {len(named)} codes, {len(marked)} places"
    expected = tuple(
        ("warning" if code.startswith("~") else "error", code.removeprefix("~"), place)
        for code, place in zip(named, marked, strict=True)
    )
    return Case(f"{title} {changes.split(' && ')[0]}", plain, expected, words[0].strip() if words else "")


def _changed(text: str, old: str, new: str, title: str) -> str:
    if old in ("$", "^"):
        return text + new if old == "$" else new + text
    assert text.count(old) == 1, f"{title}: `{old}` stands {text.count(old)} times in the good spec"
    return text.replace(old, new)


def places(text: str) -> tuple[list[Place], str]:
    """The marked places of a text, and the text without the marks."""
    found: list[Place] = []
    line, column, plain = 1, 1, []
    for char in text:
        if char == "«":
            found.append(Place(line, column))
        elif char == "»":
            found[-1] = Place(found[-1].line, found[-1].column, line, column)
        else:
            plain.append(char)
            line, column = (line + 1, 1) if char == "\n" else (line, column + 1)
    return found, "".join(plain)
