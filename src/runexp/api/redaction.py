"""What nobody may read taken out of data and texts: secrets of a spec, and passwords in URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from runexp.events import Event
from runexp.observe.sink import Sink, Stamped, wanted
from runexp.plan.values import FrozenMap, freeze
from runexp.source import Document

_PASSWORD = re.compile(r"(://[^/:@\s]*:)[^\s\"'/]*@")
_SHORTEST = 3  # characters; to cut a shorter secret out of a text would leave holes everywhere


def redacted(data: Any, document: Document | None) -> Any:  # noqa: ANN401 - plain JSON data
    """The data with every secret of the spec replaced by the reference that gave it, and no password in a URL."""
    return _redacted(data, document.secrets() if document else {})


def redacted_text(text: str, document: Document | None) -> str:
    """A text for people, likewise."""
    for secret, reference in (document.secrets() if document else {}).items():
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, reference)
    return _without_passwords(text)


def hiding(sinks: Sequence[Sink], document: Document | None) -> list[Sink]:
    """The sinks, which hear no secret of the spec: code that was given one may tell it in an error or a result."""
    if document is None or not document.secrets():
        return list(sinks)
    return [_Hiding(sink, document) for sink in sinks]


class _Hiding:
    """A sink in front of another."""

    def __init__(self, sink: Sink, document: Document) -> None:
        self.wants: frozenset[type[Event]] = wanted(sink)
        self._sink = sink
        self._document = document

    def receive(self, stamped: Stamped) -> None:
        """Pass an event on without secrets."""
        told = {field.name: getattr(stamped.event, field.name) for field in fields(stamped.event)}
        changed = {
            name: self._hidden(value) for name, value in told.items() if isinstance(value, (str, tuple, FrozenMap))
        }
        self._sink.receive(replace(stamped, event=replace(stamped.event, **changed)))

    def close(self) -> None:
        """Close the other."""
        self._sink.close()

    def _hidden(self, value: Any) -> Any:  # noqa: ANN401 - any field of an event
        if isinstance(value, str):
            return redacted_text(value, self._document)
        if isinstance(value, Mapping):
            return FrozenMap({self._hidden(key): self._hidden(item) for key, item in value.items()})
        return freeze([self._hidden(item) for item in value]) if isinstance(value, tuple) else value


def _redacted(data: Any, secrets: Mapping[str, str]) -> Any:  # noqa: ANN401 - plain JSON data
    if isinstance(data, dict):
        return {key: _redacted(item, secrets) for key, item in data.items()}
    if isinstance(data, list):
        return [_redacted(item, secrets) for item in data]
    known = secrets.get(str(data), data)
    return _without_passwords(known) if isinstance(known, str) else known


def _without_passwords(text: str) -> str:
    return _PASSWORD.sub(lambda found: found.group() if "${" in found.group() else f"{found.group(1)}…@", text)
