"""A spec in one style: sections in the order of the language, two spaces a level, quotes where they are needed.

Only the spaces that begin lines, quotes and the places of sections change; comments and line breaks stay.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml.error import YAMLError

from runexp.api.indentation import reindented
from runexp.api.quoting import requoted
from runexp.api.readable import readable
from runexp.api.sections import in_order
from runexp.diagnostics import Diagnostic, Span, SpecError
from runexp.source.files import read_bytes
from runexp.source.read import STDIN
from runexp.store.atomic import write_atomically


@dataclass(frozen=True, slots=True)
class Formatted:
    """A spec before and after; `after` is None where it cannot be read, and `found` says why."""

    file: str
    before: str
    after: str | None
    found: tuple[Diagnostic, ...] = ()


def format_spec(file: str, stdin: bytes | None = None) -> Formatted:
    """A spec in our style; `-` takes the bytes of standard input. Never raises for what a user wrote."""
    shown = STDIN if file == "-" else file
    data = b""
    try:
        data = read_bytes(file) if stdin is None or file != "-" else stdin
        before = readable(data, shown).text
    except OSError as error:
        wrong = Diagnostic("cannot-read", f"cannot read `{shown}`: {error}", Span(shown, 1, 1, 1, 1))
        return Formatted(shown, "", None, (wrong,))
    except SpecError as error:
        return Formatted(shown, data.decode("utf-8", "replace"), None, error.diagnostics)
    return Formatted(shown, before, format_text(before, shown))


def rewrite(path: Path, text: str) -> None:
    """Replace a file in one step, its mode kept; a link stays a link."""
    target = path.resolve()
    mode = stat.S_IMODE(target.stat().st_mode)
    write_atomically(target, text)
    os.chmod(target, mode)


def format_text(text: str, file: str) -> str:
    """A text in our style; a step that would change what it means is left out. `SpecError` for what is no spec."""
    meaning = _meaning(text, file)
    for step in (in_order, requoted, reindented):
        try:
            changed = step(text)
            if changed != text and _meaning(changed, file) == meaning:
                text = changed
        except (YAMLError, SpecError):  # what only one of the two readers takes stays as it is
            continue
    return text


def _meaning(text: str, file: str) -> str:
    """What a text says, also by the order of what users name; sections themselves have no order."""
    return repr(sorted(readable(text, file).plain.items(), key=lambda item: item[0]))
