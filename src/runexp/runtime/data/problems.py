"""Located diagnostics about data: one at a time, or collected until a stage ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.values import Origin


def problem(origin: Origin, code: str, message: str, *, hint: str = "") -> Diagnostic:
    """A diagnostic at the place an item of the plan was written."""
    return Diagnostic(code=code, message=message, span=origin.span, help=hint, path=origin.path)


def wrong(origin: Origin, code: str, message: str, *, hint: str = "") -> SpecError:
    """The exception that carries one located diagnostic."""
    return SpecError([problem(origin, code, message, hint=hint)])


@contextmanager
def collecting(found: list[Diagnostic]) -> Iterator[None]:
    """Keep the diagnostics raised inside, so that the next item is looked at as well."""
    try:
        yield
    except SpecError as error:
        found.extend(error.diagnostics)


def stop_at(found: list[Diagnostic]) -> None:
    """Raise what was collected, if anything."""
    if found:
        raise SpecError(found)


def shown(value: object, *, most: int = 40) -> str:
    """A value of the user's data on one line, in backticks, cut when long."""
    text = str(value)
    short = text if len(text) <= most else text[: most - 1] + "…"
    printable = "".join(letter if letter.isprintable() else "�" for letter in short)
    return f"`{printable}`"


def first_line(error: BaseException) -> str:
    """What a library said, without its traceback or its advice."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
