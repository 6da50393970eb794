"""`${…}`: what may stand wherever the language takes a number, a truth value or one of some words."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

REFERENCE = r"\$\{"
"""The pattern of a text that holds a reference. It is short because it stands in the schema thousands of times."""

# Of two alternatives that match, the editor shows the first title: without one it would take both for the same.
A_REFERENCE: Schema = {"title": "reference", "type": "string", "pattern": REFERENCE}

_BOUNDS = {
    "minimum": "of at least {:g}",
    "exclusiveMinimum": "above {:g}",
    "maximum": "at most {:g}",
    "exclusiveMaximum": "below {:g}",
}
_WORDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}


def or_reference(schema: Schema) -> Schema:
    """The schema of a single value, such that a reference may stand for it."""
    if "const" in schema:
        return schema
    if "enum" in schema:
        return {"anyOf": [schema, A_REFERENCE]}
    kind = schema.get("type")
    if kind == "string" and "pattern" in schema:
        return schema | {"pattern": f"{schema['pattern']}|{REFERENCE}"}
    if kind in _WORDS:
        return _number_or_text(schema)
    return schema


def _number_or_text(schema: Schema) -> Schema:
    """One schema of two types: bounds hold for numbers only, the pattern for text only."""
    bounds = [text.format(schema[key]) for key, text in _BOUNDS.items() if abs(schema.get(key, 2**63)) < 2**63]
    message = " ".join(filter(None, (_WORDS[schema["type"]], " and ".join(bounds))))
    both = {"type": [schema["type"], "string"], "pattern": REFERENCE, "errorMessage": expected(message)}
    return schema | both


def expected(words: str) -> str:
    """What an editor says of a value that does not fit."""
    return f"expected {words}, or a reference such as ${{vars.name}}"
