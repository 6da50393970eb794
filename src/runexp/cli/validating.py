"""What `runexp validate` does, and the command lines of it that need no typer, whose import is a fifth of the start."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from runexp.records import dataclass

if TYPE_CHECKING:  # imported by the functions, to start fast
    from runexp.api.checking import Checked
    from runexp.report.sizes import SizeFacts


class DiagnosticForm(StrEnum):
    """How diagnostics are written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which specs are to be validated, and how that is told."""

    specs: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    form: DiagnosticForm = DiagnosticForm.TEXT
    deep: bool = False
    quiet: bool = False
    no_color: bool = False
    allow_import: tuple[str, ...] = ()


def read_plainly(words: Sequence[str]) -> Wanted | None:
    """What the words after `validate` ask for; None where one of them is for typer: help, `--deep`, a mistake."""
    specs: list[str] = []
    overrides: list[str] = []
    form = "text"
    flags: set[str] = set()
    rest = iter(words)
    for word in rest:
        option, has_value, value = word.partition("=")
        if word == "-" or not word.startswith("-"):
            specs.append(word)
        elif word in _FLAGS:
            flags.add(_FLAGS[word])
        elif option in ("--set", "--format"):
            value = value if has_value else next(rest, "-")
            if value.startswith("-"):
                return None
            form = value if option == "--format" else form
            overrides += [value] if option == "--set" else []
        else:
            return None
    if not specs or form not in list(DiagnosticForm):
        return None
    return Wanted(
        tuple(specs), tuple(overrides), DiagnosticForm(form), quiet="quiet" in flags, no_color="no_color" in flags
    )


def validate_specs(wanted: Wanted) -> int:
    """Say everything that is wrong with the specs; the exit code."""
    from runexp.api.checking import check
    from runexp.cli.screen import show_diagnostics

    stdin = sys.stdin.buffer.read() if "-" in wanted.specs else None
    checked = [check(spec, overrides=wanted.overrides, stdin=stdin) for spec in wanted.specs]
    sizes: list[SizeFacts] = []
    if wanted.deep:
        checked, sizes = _deepened(checked, wanted.allow_import)
    found = [item for one in checked for item in one.diagnostics]
    files = {name: text for one in checked for name, text in one.files.items()}
    is_text = wanted.form is DiagnosticForm.TEXT
    stream = sys.stderr if is_text else sys.stdout
    also = {"sizes": list(_as_json(sizes))} if wanted.deep else None
    show_diagnostics(found, files, form=wanted.form.value, no_color=wanted.no_color, stream=stream, also=also)
    if is_text and not wanted.quiet:
        _say_valid(checked, sizes)
    return 0 if all(one.is_valid for one in checked) else 2


def _deepened(checked: list[Checked], allow: Sequence[str]) -> tuple[list[Checked], list[SizeFacts]]:
    if not any(one.is_valid for one in checked):  # nothing to import torch for
        return checked, []
    from runexp.api.deep import check_deep
    from runexp.api.trust import allowing

    deepened = [check_deep(allowing(one, allow)) for one in checked]
    return [one.checked for one in deepened], [one.sizes for one in deepened if one.sizes and one.checked.is_valid]


def _as_json(sizes: Sequence[SizeFacts]) -> Iterator[dict[str, object]]:
    from runexp.report.sizes import sizes_as_json

    for item in sizes:
        yield sizes_as_json(item)


def _say_valid(checked: Sequence[Checked], sizes: Sequence[SizeFacts]) -> None:
    from runexp.cli.screen import say

    of_path = {size.path: size for size in sizes}
    for one in checked:
        if one.is_valid:
            say(f"{one.path}: valid", sys.stdout)
        if one.path in of_path:
            from runexp.report.sizes import size_lines

            say(size_lines(of_path[one.path]), sys.stdout)


_FLAGS = {"-q": "quiet", "--quiet": "quiet", "--no-color": "no_color"}
