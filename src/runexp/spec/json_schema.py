"""The JSON Schema (draft 2020-12) of the language alone, without what the catalog knows."""

from __future__ import annotations

from typing import Any

from runexp.spec.experiment import Spec

_IDENTIFIER = "https://runexp.dev/schemas/runexp.schema.json"


def json_schema() -> dict[str, Any]:
    """The schema of a spec that may start from others."""
    schema = Spec.model_json_schema(by_alias=True)
    schema["properties"]["extends"] = {
        "description": "a spec, or several, that this one starts from; paths are relative to this file",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": _IDENTIFIER} | schema
