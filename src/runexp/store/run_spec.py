"""The spec of a run as it was understood. Apart from its other files: the reader of YAML takes a while to load."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from runexp.source import read

RESOLVED = "resolved.yaml"
_LARGEST = 1 << 20


def read_spec(folder: Path) -> dict[str, Any]:
    """The spec as it was understood; empty where it cannot be read."""
    try:
        text = (folder / RESOLVED).read_bytes()
    except OSError:
        return {}
    if len(text) > _LARGEST or re.search(rb"[&*]id\d", text):  # an anchor may be of another section
        return _parsed_yaml(text)
    sections = re.split(rb"(?m)^(?=[A-Za-z])", text)
    return {key: value for section in sections if section for key, value in _parsed_yaml(section).items()}


@lru_cache(maxsize=4096)
def _parsed_yaml(text: bytes) -> dict[str, Any]:
    """The mapping a text holds. The runs of a sweep share most sections, so each is parsed once."""
    document, _ = read("-", stdin=text)
    plain = document.plain() if document else None
    return json.loads(json.dumps(plain, default=str)) if isinstance(plain, Mapping) else {}
