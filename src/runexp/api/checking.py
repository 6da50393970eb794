"""Text → Plan, with everything found on the way. Imports no torch, runs no user code, writes nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from runexp.compiler import link
from runexp.diagnostics import Diagnostic, SpecError, in_document_order
from runexp.plan.experiment import Plan
from runexp.records import dataclass
from runexp.source import Document, read
from runexp.spec import Parsed, Spec, parse


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking one spec gave: the stages it reached, and every diagnostic in document order.

    `files` are the texts that were read, by the name diagnostics use, also where no document came of them; `folder`
    is where relative paths start; `allowed` are prefixes of code that whoever runs the spec has agreed to. `overrides`
    and `stdin` are what it was read with, so that it can be read again with other values.
    """

    path: str
    folder: Path
    document: Document | None
    parsed: Parsed | None
    plan: Plan | None
    diagnostics: tuple[Diagnostic, ...]
    files: Mapping[str, str]
    allowed: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    stdin: bytes | None = None

    @property
    def is_valid(self) -> bool:
        """Whether nothing stands in the way of running."""
        return self.plan is not None and not any(found.is_error for found in self.diagnostics)

    @property
    def spec(self) -> Spec:
        """The spec as written. Raises `SpecError` where it is not valid."""
        return self.require().parsed_spec

    @property
    def parsed_spec(self) -> Spec:
        """The spec, without its broken parts."""
        if self.parsed is None:
            raise SpecError(self.diagnostics)
        return self.parsed.spec

    @property
    def linked(self) -> Plan:
        """The plan. Raises `SpecError` where the spec is not valid."""
        if self.plan is None:
            raise SpecError(self.diagnostics)
        return self.plan

    def require(self) -> Checked:
        """Itself; raises `SpecError` with everything found where it is not valid."""
        if not self.is_valid:
            raise SpecError(self.diagnostics)
        return self


def _without_echoes(found: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Each once, and no warning of how a value reads where an error says what is wrong with it."""
    wrong = {one.span for one in found if one.is_error}
    return tuple(one for one in dict.fromkeys(found) if one.is_error or one.span not in wrong)


def check(
    source: Path | str, *, overrides: Sequence[str] = (), stdin: bytes | None = None, folder: Path | None = None
) -> Checked:
    """Read, parse and link one spec; `-` reads `stdin`. Never raises for what a user wrote.

    Relative paths start at `folder`; left out: where the spec lies.
    """
    if folder is None:
        folder = Path.cwd() if str(source) == "-" else Path(source).parent
    texts: dict[str, str] = {}
    document, found = read(source, overrides=overrides, stdin=stdin, texts=texts)
    if document is None:
        return Checked(str(source), folder, None, None, None, found, texts, (), tuple(overrides), stdin)
    parsed = parse(document)
    linked = link(parsed, folder=folder)
    unread = {one.span for one in found if one.is_error}
    judged = [one for one in linked.diagnostics if one.span not in unread]
    everything = in_document_order(_without_echoes((*found, *judged)))
    plan = linked.plan if not any(item.is_error for item in everything) else None
    return Checked(str(source), folder, document, parsed, plan, everything, texts, (), tuple(overrides), stdin)


def path_of(address: str) -> tuple[str | int, ...]:
    """The path that a written address names: `phases.train.losses[0]`."""
    steps = re.findall(r"[^.\[\]]+|\[\d+\]", address)
    return tuple(int(step[1:-1]) if step.startswith("[") else step for step in steps)


def default_at(checked: Checked, path: tuple[str | int, ...]) -> tuple[bool, object]:
    """Whether the spec as understood has a value at a path that was left out, and that value."""
    value: object = checked.spec.model_dump(mode="json", by_alias=True)
    try:
        for step in path:
            value = _inside(value, step)
    except LookupError:
        return False, None
    return True, value


def _inside(value: object, step: str | int) -> object:
    match value, step:
        case dict(), str():
            return value[step]
        case list(), int():
            return value[step]
        case _:
            raise LookupError(step)
