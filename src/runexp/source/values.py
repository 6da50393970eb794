"""What a written scalar means: the YAML 1.2 core types, and a warning where YAML 1.1 read it differently."""

from __future__ import annotations

import re
from math import isinf

from runexp.source.limits import MAX_INTEGER, MIN_INTEGER
from runexp.source.nodes import Scalar


class NotOfTypeError(ValueError):
    """Text that cannot be the value it was written as; the message is a sentence for the user."""


def resolve(text: str) -> Scalar:
    """The value of an unquoted scalar; raises `NotOfTypeError` for a number no machine holds."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    return text


def tagged(text: str, tag: str) -> Scalar:
    """The value of a scalar with a core tag; raises `NotOfTypeError` if the text is no such value."""
    if tag not in _TAG_TYPES:
        return text
    value = resolve(text)
    if tag == "float" and type(value) is int:
        return float(value)
    if type(value) is not _TAG_TYPES[tag]:
        raise NotOfTypeError(f"`{_short(text)}` is not {_TAG_WORDS[tag]}")
    return value


def yaml_1_1_trap(text: str) -> str:
    """What YAML 1.1 would have read in an unquoted scalar that is something else now; empty if nothing."""
    if len(text) <= 3 and text.lower() in _SWITCHES and text in (text.lower(), text.upper(), text.title()):
        return f"`{text}` is a word here, not true or false"
    if len(text) > 1 and _OCTAL.fullmatch(text):
        return f"`{text}` is the number {int(text)} here, not an octal number"
    return ""


def _integer(text: str) -> int:
    bare = text.lstrip("+-0")
    if len(bare) > _MOST_DIGITS:
        raise NotOfTypeError(f"the integer `{_short(text)}` does not fit in 64 bits")
    value = int(text, 0) if text[1:2] in ("o", "x") else int(text)
    if not MIN_INTEGER <= value <= MAX_INTEGER:
        raise NotOfTypeError(f"the integer `{_short(text)}` does not fit in 64 bits")
    return value


def _float(text: str) -> float:
    value = float(text)
    if isinf(value):
        raise NotOfTypeError(f"the number `{_short(text)}` is too large for a 64-bit float")
    return value


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:24]}…{text[-8:]}"


NULLS = ("", "~", "null", "Null", "NULL")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(NULLS, None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_OCTAL = re.compile(r"0[0-7]+")
_SWITCHES = frozenset(("yes", "no", "on", "off"))
_MOST_DIGITS = 24  # of 64 bits in base 8, with the prefix
_TAG_TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "null": type(None)}
_TAG_WORDS = {"int": "an integer", "float": "a number", "bool": "true or false", "null": "null"}
