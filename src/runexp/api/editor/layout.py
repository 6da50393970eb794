"""The schema as text: one definition a line, so that a change shows as the lines it touches."""

from __future__ import annotations

import json

from runexp.api.editor.references import Schema


def schema_text(schema: Schema) -> str:
    """JSON that ends with a line break."""
    parts = [f"{_compact(key)}:{_part(key, value)}" for key, value in schema.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _part(key: str, value: object) -> str:
    if key not in ("properties", "$defs") or not isinstance(value, dict):
        return _compact(value)
    return "{\n" + ",\n".join(f"{_compact(name)}:{_compact(part)}" for name, part in value.items()) + "\n}"


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
