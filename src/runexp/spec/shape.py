"""What the JSON Schema of the language expects at a place of a document: its keys and its kinds of value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from runexp.diagnostics import Diagnostic
from runexp.spec.experiment import Spec

Path = tuple[str | int, ...]
Schema = Mapping[str, Any]


def dotted(path: Path) -> str:
    """The address of an item as a person writes it: `phases.train.losses[0]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def path_of(address: str) -> Path:
    """The path that an address such as `phases.train.losses[0]` stands for."""
    steps: list[str | int] = []
    for step in address.replace("[", ".[").split("."):
        steps.append(int(step[1:-1]) if step.startswith("[") else step)
    return tuple(steps)


def sameness(found: Diagnostic) -> object:
    """Equal for two diagnostics that tell a reader the same: a repeat meets one mistake once for each item."""
    return found.code, found.span, found.label, _REPEATED.sub("", found.message)


def known_keys(document: object, path: Path) -> tuple[str, ...]:
    """The keys the language knows for the mapping at `path`; empty where any key may stand."""
    keys: dict[str, None] = {}
    for schema in schemas_at(document, path):
        keys.update(dict.fromkeys(schema.get("properties", ())))
    return tuple(keys)


def accepted_values(document: object, path: Path) -> tuple[str, ...]:
    """The words the language accepts at `path`, where it accepts only some."""
    words: dict[str, None] = {}
    for schema in schemas_at(document, path):
        constants = schema.get("enum", [schema["const"]] if "const" in schema else [])
        words.update(dict.fromkeys(str(constant) for constant in constants))
    return tuple(words)


def accepted_kinds(document: object, path: Path) -> tuple[str, ...]:
    """The kinds of value the language accepts at `path`, as a person says them."""
    kinds: dict[str, None] = {}
    for schema in schemas_at(document, path):
        named = str(schema.get("type", ""))
        if named:
            kinds[_KINDS.get(named, named)] = None
    return tuple(kinds)


def description_at(document: object, path: Path) -> str:
    """What the language says of the value at `path` itself; empty where it says nothing."""
    schema: Schema = _root()
    value: object = document
    for step in path:
        children = [child for branch in _branches(schema, value) if (child := _child(branch, step))]
        if not children:
            return ""
        schema = children[0]
        value = _value_at(value, step)
    for described in (schema, *(found for found in _branches(schema, value) if isinstance(value, Mapping))):
        if "description" in described and (described is schema or described.get("type") == "object"):
            return str(described["description"])
    return ""


def schemas_at(document: object, path: Path) -> tuple[Schema, ...]:
    """Every schema that could hold at `path`, narrowed by what the document says on the way."""
    current: list[Schema] = [_root()]
    value: object = document
    for step in path:
        branches = [branch for schema in current for branch in _branches(schema, value)]
        current = [child for branch in branches if (child := _child(branch, step)) is not None]
        value = _value_at(value, step)
    return tuple(branch for schema in current for branch in _branches(schema, value))


@cache
def _root() -> dict[str, Any]:
    return Spec.model_json_schema(by_alias=True)


def _branches(schema: Schema, value: object) -> Iterator[Schema]:
    """The alternatives of a schema; only the one a discriminator points to, where it does."""
    schema = _resolve(schema)
    options = schema.get("anyOf") or schema.get("oneOf")
    if options is None:
        yield schema
        return
    chosen = _discriminated(schema, value)
    for option in [chosen] if chosen else options:
        yield from _branches(option, value)


def _discriminated(schema: Schema, value: object) -> Schema | None:
    discriminator = schema.get("discriminator")
    if not discriminator or not isinstance(value, Mapping):
        return None
    word = value.get(discriminator["propertyName"])
    target = discriminator["mapping"].get(word) if isinstance(word, str) else None
    return {"$ref": target} if target else None


def _child(schema: Schema, step: str | int) -> Schema | None:
    schema = _resolve(schema)
    if isinstance(step, int):
        items = schema.get("items")
        return items if isinstance(items, Mapping) else None
    if step in schema.get("properties", {}):
        child: Schema = schema["properties"][step]
        return child
    for pattern in schema.get("patternProperties", {}).values():
        return pattern if isinstance(pattern, Mapping) else None
    extra = schema.get("additionalProperties")
    return extra if isinstance(extra, Mapping) else None


def _resolve(schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    resolved: Schema = _root()["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    return resolved


def _value_at(value: object, step: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, Sequence) and not isinstance(value, str) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


_REPEATED = re.compile(r"\.phases\.\d+(?=\.phases\.)|/\d+(?=/)")
_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
