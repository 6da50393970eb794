"""Which values a parameter takes, and how to say so."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from runexp.catalog.entry import Parameter, Range

_JSON = (bool, int, float, str, list, tuple, Mapping)
_MADE = frozenset({"any", "callable", "object", "list", "mapping", "tensor"})
_PHRASES = {
    "any": "anything",
    "bool": "true or false",
    "callable": "a function (`use: …`)",
    "float": "a number",
    "infinity": "infinity (`.inf`)",
    "int": "a whole number",
    "list": "a list",
    "mapping": "a mapping",
    "none": "null",
    "object": "an object (`use: …`)",
    "str": "text",
    "tensor": "a number or a list of numbers",
    "tuple": "a list",
}
_RANGE_PHRASES = {"int": "a whole number", "float": "a number", "real": "a number"}
_LONGEST = 60


def accepts(parameter: Parameter, value: object) -> bool:
    """Whether the parameter may take the value; its default, its choices and what is not plain data pass."""
    if value is None:
        return bool({"none", "any"} & set(parameter.types)) or _is_default(parameter, None)
    if not isinstance(value, _JSON):
        return True
    if isinstance(value, Mapping) and "use" in value:
        return not _MADE.isdisjoint(parameter.types)
    if _is_default(parameter, value) or any(_same(value, choice) for choice in parameter.choices):
        return True
    return any(_takes(parameter, word, value) for word in parameter.types)


def accepted_text(parameter: Parameter) -> str:
    """What the parameter takes, in words: `a whole number of at least 1, `mle` or null`."""
    phrases = [phrase for word in parameter.types for phrase in _word_phrases(parameter, word)]
    *first, last = dict.fromkeys(phrases)
    return f"{', '.join(first)} or {last}" if first else last


def value_text(value: object) -> str:
    """The value as YAML would have it, cut where it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _takes(parameter: Parameter, word: str, value: object) -> bool:
    match value:
        case bool():
            return word in ("bool", "any")
        case int() | float():
            return _takes_number(parameter, word, value)
        case str():
            return _takes_text(parameter, word, value)
        case list() | tuple():
            return word in ("list", "tuple", "tensor", "object", "any")
    return word in ("mapping", "object", "any")


def _takes_number(parameter: Parameter, word: str, number: float) -> bool:
    if word == "infinity" and number == math.inf:
        return True
    if parameter.name == "lr" and math.isinf(number):
        return False
    if word in ("any", "tensor") and not parameter.ranges:
        return True
    if word == "int" and not isinstance(number, int):
        return False
    if word not in ("int", "float"):
        return False
    if parameter.ranges:
        return any(number in span for span in parameter.ranges)
    return not any(_is_number(choice) for choice in parameter.choices)


def _takes_text(parameter: Parameter, word: str, text: str) -> bool:
    if word == "str":
        return not any(isinstance(choice, str) for choice in parameter.choices)
    return word == "any" or (word == "callable" and "." in text)


def _is_default(parameter: Parameter, value: object) -> bool:
    return parameter.has_plain_default and _same(value, parameter.default)


def _same(value: object, other: object) -> bool:
    """Equal, where true is not 1 and a list equals a tuple."""
    if isinstance(value, list | tuple) and isinstance(other, list | tuple):
        return len(value) == len(other) and all(map(_same, value, other))
    return isinstance(value, bool) == isinstance(other, bool) and value == other


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _word_phrases(parameter: Parameter, word: str) -> list[str]:
    if word == "str":
        texts = [choice for choice in parameter.choices if isinstance(choice, str)]
        return [f"`{text}`" for text in texts] or [_PHRASES[word]]
    if word in ("int", "float"):
        numbers = [f"{choice}" for choice in parameter.choices if _is_number(choice)]
        return [_range_phrase(span) for span in parameter.ranges] or numbers or [_PHRASES[word]]
    if word == "tensor" and {"int", "float"} & set(parameter.types):
        return ["a list of numbers"]  # a single one is told of with its bounds
    return [_PHRASES.get(word, word)]


def _range_phrase(span: Range) -> str:
    low = "" if span.minimum is None else f"{'of at least' if span.includes_minimum else 'above'} {span.minimum:g}"
    high = "" if span.maximum is None else f"{'at most' if span.includes_maximum else 'below'} {span.maximum:g}"
    bounds = " and ".join(bound for bound in (low, high) if bound)
    return f"{_RANGE_PHRASES[span.type]} {bounds}".strip()


def whole_number_meant(parameter: Parameter, value: object) -> int | None:
    """The whole number that was written with a point or an exponent, where only that is wrong."""
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and accepts(parameter, int(value)):
        return int(value)
    return None
