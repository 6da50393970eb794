"""The values that a parameter of the catalog takes, as a schema."""

from __future__ import annotations

from runexp.api.editor.references import A_REFERENCE, REFERENCE, Schema, expected
from runexp.catalog import Parameter, Range, accepted_text

MADE = "#/$defs/made"
PERHAPS_MADE = "#/$defs/perhaps-made"
VALUE = "#/$defs/value"
_TYPES = {
    "bool": ("boolean",),
    "callable": ("string", "object"),
    "float": ("number",),
    "infinity": ("number",),
    "int": ("integer",),
    "list": ("array", "object"),
    "mapping": ("object",),
    "none": ("null",),
    "object": ("array", "object"),
    "str": ("string",),
    "tensor": ("number", "array", "object"),
    "tuple": ("array",),
}
_FREE_MAPPINGS = frozenset({"mapping", "object"})
_ORDER = ("boolean", "integer", "number", "string", "array", "object", "null")


def values_of(parameter: Parameter) -> Schema:
    """What may be written for the parameter; a reference is always among it.

    A word of one of some choices stands first: of alternatives none of which fits, editors report the first.
    """
    if "any" in parameter.types:
        return {"$ref": VALUE}
    message = expected(accepted_text(parameter))
    choices: list[object] = [*parameter.choices, *_word_left_out(parameter)]
    ranges = [_range(span) for span in parameter.ranges]
    others = _others(parameter, one_range=ranges[0] if len(ranges) == 1 else None)
    alternatives: list[Schema] = [{"enum": choices}] if choices else []
    alternatives += ranges if len(ranges) > 1 else []
    if not alternatives:
        return others | {"errorMessage": message}
    if others["type"] == ["string"] and others.get("pattern") == REFERENCE:
        others = A_REFERENCE
    return {"anyOf": [{**alternative, "errorMessage": message} for alternative in (*alternatives, others)]}


def _others(parameter: Parameter, *, one_range: Schema | None) -> Schema:
    """Everything but choices and, where there are several, ranges: one schema of several types."""
    types = {name for word in parameter.types for name in _types_of(parameter, word)} | {"string"}
    schema = dict(one_range or {})
    types |= {schema["type"]} if schema else set()
    types |= {"null"} if parameter.default_text == "None" else set()
    if "number" in types or "infinity" in parameter.types:
        types = (types - {"integer"}) | {"number"}
    schema["type"] = [name for name in _ORDER if name in types]
    if "str" not in parameter.types or any(isinstance(choice, str) for choice in parameter.choices):
        schema["pattern"] = rf"\.|{REFERENCE}" if "callable" in parameter.types else REFERENCE
    return schema | _inside(parameter, types)


def _types_of(parameter: Parameter, word: str) -> tuple[str, ...]:
    """JSON's types of a word; none where ranges or choices say which numbers there are."""
    numbers = [
        choice for choice in parameter.choices if isinstance(choice, int | float) and not isinstance(choice, bool)
    ]
    if word in ("int", "float") and (parameter.ranges or numbers):
        return ()
    return _TYPES[word]


def _inside(parameter: Parameter, types: set[str]) -> Schema:
    """What lists and mappings hold: things made with `use:` are known in them too."""
    if "object" not in types:
        return {}
    # Only for what is a list: where a number may stand too, editors would begin a list.
    inside: Schema = {"items": {"$ref": VALUE}} if types <= {"array", "object", "string", "null"} else {}
    return inside | {"$ref": MADE if _FREE_MAPPINGS.isdisjoint(parameter.types) else PERHAPS_MADE}


def _range(span: Range) -> Schema:
    schema: Schema = {"type": "integer" if span.type == "int" else "number"}
    if span.minimum is not None:
        schema["minimum" if span.includes_minimum else "exclusiveMinimum"] = span.minimum
    if span.maximum is not None:
        schema["maximum" if span.includes_maximum else "exclusiveMaximum"] = span.maximum
    return schema


def _word_left_out(parameter: Parameter) -> tuple[str, ...]:
    """A default that is not among what the parameter takes, such as `deprecated`."""
    default = parameter.default
    if not isinstance(default, str) or default in parameter.choices:
        return ()
    is_free = "str" in parameter.types and not any(isinstance(choice, str) for choice in parameter.choices)
    return () if is_free else (default,)
