"""Plain Python values as YAML on one line, in the style of our own specs."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

_SIMPLE = re.compile(r"(?:\.{0,2}/)*[A-Za-z_][A-Za-z0-9_./-]*")
# What one or another reader of YAML takes for something else than text.
_WORDS = frozenset({"yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


def is_simple(text: str) -> bool:
    """Whether a text is a word, a name or a path that means itself without quotes anywhere in a spec."""
    return _SIMPLE.fullmatch(text) is not None and text.lower() not in _WORDS


def quoted(text: str) -> str:
    """The text as it stands in a spec: bare where that is simple, else in double quotes."""
    return text if is_simple(text) else json.dumps(text, ensure_ascii=False)


def written(value: object) -> str:
    """A value on one line; `TypeError` for what YAML has no form for."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{quoted(str(key))}: {written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(written(item) for item in value) + "]"
    raise TypeError(f"a spec cannot hold a {type(value).__name__}")


def _number(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    return repr(value)
