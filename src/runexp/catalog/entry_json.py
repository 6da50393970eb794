"""Entries as JSON: an object, one entry a line, so that one can be read without the others."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from runexp.catalog.entry import Entry, Json, Parameter, Range


def dump_entries(entries: Iterable[Entry]) -> str:
    """Write entries sorted by name; what equals its default is left out."""
    lines = [
        f"{_compact(entry.name)}:{_compact(_entry_record(entry))}"
        for entry in sorted(entries, key=lambda entry: entry.name)
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def find_entry(text: str, name: str, kind: str) -> Entry | None:
    """Read the one entry of that name out of what `dump_entries` wrote."""
    head = f"\n{_compact(name)}:"
    start = text.find(head)
    if start < 0:
        return None
    start += len(head)
    record = text[start : text.index("\n", start)].removesuffix(",")
    return _entry_of(name, kind, json.loads(record))


def load_entries(text: str, kind: str) -> tuple[Entry, ...]:
    """Read all entries."""
    return tuple(_entry_of(name, kind, record) for name, record in json.loads(text).items())


def entry_names(text: str) -> tuple[str, ...]:
    """The names alone, without reading the entries."""
    return tuple(line[1 : line.index('"', 1)] for line in text.splitlines() if line.startswith('"'))


def _entry_record(entry: Entry) -> dict[str, Any]:
    record: dict[str, Any] = {
        "target": entry.target,
        "summary": entry.summary,
        "accepts_any": entry.accepts_any,
        "fixed": dict(entry.fixed),
        "traits": dict(entry.traits),
        "parameters": [_parameter_record(parameter) for parameter in entry.parameters],
    }
    return {key: value for key, value in record.items() if value}


def _parameter_record(parameter: Parameter) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": parameter.name,
        "required": parameter.required,
        "types": [] if parameter.types == ("any",) else parameter.types,
        "choices": parameter.choices,
        "ranges": [
            [span.type, span.minimum, span.maximum, span.includes_minimum, span.includes_maximum]
            for span in parameter.ranges
        ],
        "summary": parameter.summary,
    }
    record = {key: value for key, value in record.items() if value}
    if parameter.has_plain_default:
        record["default"] = parameter.default
    if parameter.default_text != repr(parameter.default) and not parameter.required:
        record["default_text"] = parameter.default_text
    return record


def _entry_of(name: str, kind: str, record: dict[str, Any]) -> Entry:
    return Entry(
        name=name,
        target=record.get("target", ""),
        kind=kind,
        summary=record.get("summary", ""),
        parameters=tuple(_parameter_of(found) for found in record.get("parameters", ())),
        accepts_any=record.get("accepts_any", False),
        fixed=record.get("fixed", {}),
        traits=record.get("traits", {}),
    )


def _parameter_of(record: dict[str, Any]) -> Parameter:
    default: Json = _frozen(record.get("default"))
    required = record.get("required", False)
    return Parameter(
        name=record["name"],
        required=required,
        default=default,
        default_text="" if required else record.get("default_text", repr(default)),
        types=tuple(record.get("types", ("any",))),
        choices=tuple(record.get("choices", ())),
        ranges=tuple(Range(*span) for span in record.get("ranges", ())),
        summary=record.get("summary", ""),
    )


def _frozen(value: Any) -> Json:  # noqa: ANN401 - whatever JSON holds
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
