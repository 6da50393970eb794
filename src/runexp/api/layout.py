"""Where every part of a YAML text stands, aliases where they are used; for changing the text itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

Kind = Literal["mapping", "list", "scalar", "alias"]


@dataclass(frozen=True, slots=True)
class Part:
    """A value in a text, from `start` up to `end`; a block ends with its last value.

    A mapping has `keys` beside its `items`; `text` is what a scalar says. Lines and columns count from 0.
    """

    kind: Kind
    start: int
    end: int
    line: int
    column: int
    is_flow: bool = False
    text: str = ""
    keys: tuple[Part, ...] = ()
    items: tuple[Part, ...] = ()

    def get(self, step: str | int) -> Part | None:
        """The value of a key, or of an index of a list, as it is written here."""
        if self.kind == "mapping":
            return next((item for key, item in zip(self.keys, self.items, strict=True) if key.text == str(step)), None)
        if self.kind == "list" and str(step).isdecimal() and int(step) < len(self.items):
            return self.items[int(step)]
        return None


def layout(text: str) -> Part | None:
    """The parts of a text's only document; None for an empty one. Raises ruamel's `YAMLError`."""
    events: Iterator[Any] = iter(YAML(typ="safe", pure=True).parse(text))
    for event in events:
        if isinstance(event, DocumentStartEvent):
            return _part(next(events), _Reading(text, events))
    return None


@dataclass(frozen=True, slots=True)
class _Reading:
    """A text and what is still to come of its events."""

    text: str
    events: Iterator[Any]


def _part(event: Any, reading: _Reading) -> Part:  # noqa: ANN401 - ruamel's events share no typed base
    mark, end = event.start_mark, event.end_mark.index
    if isinstance(event, AliasEvent):
        return Part("alias", mark.index, end, mark.line, mark.column)
    if isinstance(event, ScalarEvent):
        return Part("scalar", mark.index, end, mark.line, mark.column, bool(event.style), str(event.value))
    children, end = _children(reading, mark.index)
    if not event.flow_style:
        end = max((child.end for child in children), default=mark.index)
    where = (mark.index, end, mark.line, mark.column, bool(event.flow_style), "")
    if isinstance(event, MappingStartEvent):
        return Part("mapping", *where, tuple(children[::2]), tuple(children[1::2]))
    assert isinstance(event, SequenceStartEvent)
    return Part("list", *where, (), tuple(children))


def _children(reading: _Reading, start: int) -> tuple[list[Part], int]:
    """What stands in a collection that begins at `start`, and where the collection is closed."""
    children: list[Part] = []
    for event in reading.events:
        if isinstance(event, CollectionEndEvent):
            return children, event.end_mark.index
        child = _part(event, reading)
        if child.start == child.end:
            child = _after_indicator(child, reading.text, children[-1].end if children else start)
        children.append(child)
    raise ValueError("a collection is not closed")


def _after_indicator(empty: Part, text: str, behind: int) -> Part:
    """An empty value is told at the next token; it stands behind the `:` or `-` before that."""
    found = [match.end(1) for match in _INDICATOR.finditer(text, behind, empty.start) if match.group(1)]
    at = found[-1] if found else empty.start
    return replace(empty, start=at, end=at)


_INDICATOR = re.compile(r"(?<!\S)#[^\n]*|([:-])(?=\s|$)")
