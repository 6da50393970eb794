"""The language of a spec that extends others: what it leaves out may stand there, and null removes."""

from __future__ import annotations

from typing import Any

from runexp.api.editor.references import Schema

_SHARED = ("by-name.",)
_REQUIRING = ("required", "minProperties", "minItems")
_PLAIN = ("if", "default", "examples", "enum", "const")


def part_name(name: str) -> str:
    """The name of the definition for a part of what `name` defines."""
    return f"{name}.part"


def parts(definitions: dict[str, Schema]) -> dict[str, Schema]:
    """Each definition once more, with nothing required."""
    own = {name for name in definitions if not name.startswith(_SHARED)}
    return {part_name(name): _part(definitions[name], own) for name in definitions if name in own}


def _part(schema: Any, own: set[str]) -> Any:  # noqa: ANN401 - any part of a JSON Schema
    if isinstance(schema, list):
        return [_part(item, own) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _keyword(key, value, own) for key, value in schema.items() if key not in _REQUIRING}


def _keyword(key: str, value: Any, own: set[str]) -> Any:  # noqa: ANN401 - as `_part`
    if key in _PLAIN:
        return value
    if key == "type":
        kinds = value if isinstance(value, list) else [value]
        return [*kinds, "null"] if "null" not in kinds else kinds
    if key == "$ref":
        name = value.rpartition("/")[2]
        return f"#/$defs/{part_name(name)}" if name in own else value
    if key in ("properties", "patternProperties"):
        return {name: _part(part, own) for name, part in value.items()}
    return _part(value, own)
