"""Document → Spec: every mistake of shape, located, and what is left when the broken parts are cut out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import field
from typing import Any

from pydantic import ValidationError

from runexp.diagnostics import Diagnostic, nearest
from runexp.records import dataclass
from runexp.source import Document
from runexp.spec.experiment import Spec
from runexp.spec.mistakes import Mistake, mistakes_of, owner
from runexp.spec.shape import Path, dotted, sameness

_VERSION = 1
_STANDINS: dict[str, Any] = {"runexp": _VERSION, "name": "unnamed", "data": {}, "nodes": {}, "phases": {}}
_MOST_ROUNDS = 12
_MOST_ERRORS = 400  # of pydantic: a spec with more is judged no further


@dataclass(frozen=True, slots=True)
class Parsed:
    """A spec without its broken parts, and where those stood.

    `damaged` holds the paths that were cut out: what depends on them is not reported again. `meant` tells, for a key
    that is not there, under which misspelled key it was written.
    """

    spec: Spec
    document: Document
    damaged: frozenset[Path]
    diagnostics: tuple[Diagnostic, ...]
    meant: Mapping[Path, str] = field(default_factory=dict)

    def lacks(self, path: Path, key: str) -> bool:
        """Whether nothing that was cut out at `path` was meant to be `key`, so that its absence is news."""
        cut = [place[len(path)] for place in self.damaged if place[: len(path)] == path and len(place) > len(path)]
        return path not in self.damaged and not any(nearest(str(name), [key]) for name in cut)

    def is_damaged(self, path: Path) -> bool:
        """Whether something at, above or below `path` was cut out."""
        return any(_related(path, cut) for cut in self.damaged)


def parse(document: Document) -> Parsed:
    """Check the shape of a document; never raises for what a user wrote."""
    data = document.plain()
    if _is_later(data):
        return Parsed(_bare(), document, frozenset({()}), (_later_version(data, document),))
    return _parsed(document, data)


def _parsed(document: Document, data: Mapping[str, Any]) -> Parsed:
    remains: Any = deepcopy(data)
    damaged = {owner(path) for path in document.broken_paths()}
    for path in damaged:
        _cut(remains, path)
    diagnostics: dict[object, Diagnostic] = {}
    meant: dict[Path, str] = {}
    for number in range(_MOST_ROUNDS):
        mistakes = _validate(remains)
        if isinstance(mistakes, Spec):
            return Parsed(mistakes, document, frozenset((*damaged, *meant)), tuple(diagnostics.values()), meant)
        if number == 0:  # what a later round finds follows from what was cut out
            fresh = [mistake for mistake in mistakes if mistake.path not in damaged]
            told = [_diagnose(mistake, document) for mistake in fresh]
            for one in told:
                diagnostics.setdefault(sameness(one), one)
            meant = {mistake.meant: str(mistake.path[-1]) for mistake in fresh if mistake.meant}
        if len(mistakes) >= _MOST_ERRORS // 2:
            break
        for mistake in mistakes:
            damaged.add(mistake.cut)
            _cut(remains, mistake.cut)
    return Parsed(_bare(), document, frozenset({()}), tuple(diagnostics.values()))


def _bare() -> Spec:
    return Spec.model_validate_json(json.dumps(_STANDINS))


def _is_later(data: Mapping[str, object]) -> bool:
    """Whether a spec is of a later version of the language, of which nothing is known: judging it is guessing."""
    version = data.get("runexp")
    return isinstance(version, int) and not isinstance(version, bool) and version > _VERSION


def _later_version(data: Mapping[str, object], document: Document) -> Diagnostic:
    return Diagnostic(
        code="unknown-word",
        message=f"`runexp` cannot be `{data['runexp']}`: this runexp reads version {_VERSION} of the language",
        span=document.span_of(("runexp",), "value"),
        label="a later version",
        help="install a newer runexp; the rest of the spec is not judged",
        path="runexp",
    )


def _validate(data: object) -> Spec | tuple[Mistake, ...]:
    try:
        return Spec.model_validate_json(json.dumps(data))
    except ValidationError as error:
        return mistakes_of(error.errors(include_url=False, include_input=False)[:_MOST_ERRORS], data)


def _diagnose(mistake: Mistake, document: Document) -> Diagnostic:
    span = document.redirected(mistake.place) if mistake.code == "missing-key" else None
    return Diagnostic(
        code=mistake.code,
        message=mistake.message,
        span=span or document.span_of(mistake.place, mistake.part),
        label=mistake.label,
        help=mistake.help,
        related=document.chain(mistake.place),
        path=dotted(mistake.path),
    )


def _cut(data: object, path: Path) -> None:
    """Remove the value at `path`; a top-level key that must be there gets a stand-in."""
    parent = data
    for step in path[:-1]:
        parent = _enter(parent, step)
    if isinstance(parent, dict):
        parent.pop(path[-1], None)
        if len(path) == 1 and path[0] in _STANDINS:
            parent[path[0]] = deepcopy(_STANDINS[str(path[0])])


def _enter(value: object, step: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, Sequence) and isinstance(step, int) and step < len(value):
        item: object = value[step]
        return item
    return None


def _related(path: Path, other: Path) -> bool:
    shorter = min(len(path), len(other))
    return path[:shorter] == other[:shorter]
