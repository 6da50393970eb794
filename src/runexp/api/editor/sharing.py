"""Values that many parameters take, defined once: a third of the file is saved."""

from __future__ import annotations

import json
import re
from collections import Counter

from runexp.api.editor.references import Schema

_TOLD = ("description", "default", "examples")
_FEW = 3
_LONGEST_NAME = 80


def with_shared_values(definitions: dict[str, Schema]) -> dict[str, Schema]:
    """The definitions with references to `value.<what it takes>` where several classes take the same."""
    counted = Counter(
        _text(_value(parameter)) for schema in definitions.values() for parameter in _parameters(schema).values()
    )
    shared: dict[str, Schema] = {}
    for text, times in counted.items():
        name = _name(json.loads(text))
        if times >= _FEW and name and name not in shared:
            shared[name] = json.loads(text)
    names = {_text(value): name for name, value in shared.items()}
    return {key: _shortened(schema, names) for key, schema in definitions.items()} | dict(sorted(shared.items()))


def _parameters(schema: Schema) -> dict[str, Schema]:
    parameters: dict[str, Schema] = schema.get("properties", {})
    return parameters


def _shortened(schema: Schema, names: dict[str, str]) -> Schema:
    if not _parameters(schema):
        return schema
    parameters = {
        name: _told(parameter) | {"$ref": f"#/$defs/{names[text]}"}
        if (text := _text(_value(parameter))) in names
        else parameter
        for name, parameter in _parameters(schema).items()
    }
    return schema | {"properties": parameters}


def _value(parameter: Schema) -> Schema:
    return {key: part for key, part in parameter.items() if key not in _TOLD}


def _told(parameter: Schema) -> Schema:
    return {key: part for key, part in parameter.items() if key in _TOLD}


def _name(value: Schema) -> str:
    """After its message, so that a new class does not rename what others use; empty where it has none."""
    message: str = value.get("errorMessage") or value.get("anyOf", [{}])[0].get("errorMessage", "")
    words = message.removeprefix("expected ").partition(", or a reference")[0]
    slug = re.sub(r"[^a-z0-9.]+", "-", words.lower()).strip("-")
    return f"value.{slug}" if 0 < len(slug) <= _LONGEST_NAME else ""


def _text(value: Schema) -> str:
    return json.dumps(value, sort_keys=True)
