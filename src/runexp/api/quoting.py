"""Quotes in one style: none around plain words, double ones elsewhere."""

from __future__ import annotations

from ruamel.yaml import YAML
from ruamel.yaml.tokens import ScalarToken

from runexp.api.yaml_text import quoted


def requoted(text: str) -> str:
    """The text with every quoted scalar of one line written again; one that double quotes make longer stays."""
    pieces: list[str] = []
    copied = 0
    for token in YAML(typ="safe", pure=True).scan(text):
        if not isinstance(token, ScalarToken) or token.style not in ("'", '"'):
            continue
        start, end = token.start_mark.index, token.end_mark.index
        pieces += [text[copied:start], _written(str(token.value), text[start:end])]
        copied = end
    return "".join([*pieces, text[copied:]])


def _written(value: str, before: str) -> str:
    after = quoted(value)
    # Escapes that someone chose, and texts that need escapes in double quotes, read best as they are.
    return before if "\n" in before or "\\" in before or "\\" in after else after
