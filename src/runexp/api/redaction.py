"""What nobody may read taken out of data and texts: secrets of a spec, and passwords in URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runexp.source import Document

_PASSWORD = re.compile(r"(://[^/:@\s]*:)[^\s\"'/]*@")
_SHORTEST = 3  # characters; to cut a shorter secret out of a text would leave holes everywhere


def redacted(data: Any, document: Document | None) -> Any:  # noqa: ANN401 - plain JSON data
    """The data with every secret of the spec replaced by the reference that gave it, and no password in a URL."""
    return _redacted(data, document.secrets() if document else {})


def redacted_text(text: str, document: Document | None) -> str:
    """A text for people, likewise."""
    for secret, reference in (document.secrets() if document else {}).items():
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, reference)
    return _without_passwords(text)


def _redacted(data: Any, secrets: Mapping[str, str]) -> Any:  # noqa: ANN401 - plain JSON data
    if isinstance(data, dict):
        return {key: _redacted(item, secrets) for key, item in data.items()}
    if isinstance(data, list):
        return [_redacted(item, secrets) for item in data]
    known = secrets.get(str(data), data)
    return _without_passwords(known) if isinstance(known, str) else known


def _without_passwords(text: str) -> str:
    return _PASSWORD.sub(lambda found: found.group() if "${" in found.group() else f"{found.group(1)}…@", text)
