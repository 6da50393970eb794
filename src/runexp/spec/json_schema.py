"""The JSON Schema (draft 2020-12) of the language, as editors want it."""

from __future__ import annotations

from typing import Any

from runexp.spec.experiment import Spec

_IDENTIFIER = "https://runexp.dev/schemas/runexp.schema.json"
_REFERENCE = {"type": "string", "pattern": r"\$\{[^}]+\}", "description": "a reference such as `${vars.lr}`"}
_RESOLVED_LATER = frozenset({"number", "integer", "boolean"})


def json_schema() -> dict[str, Any]:
    """The schema of a spec as it is written: wherever a number or a truth value may stand, so may `${…}`."""
    schema = Spec.model_json_schema(by_alias=True)
    schema["properties"]["extends"] = {
        "description": "a spec, or several, that this one starts from; paths are relative to this file",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    }
    del schema["required"]  # what is not here may come from the specs that this one extends
    schema["anyOf"] = [{"required": ["runexp"]}, {"required": ["extends"]}]
    written: dict[str, Any] = _allow_references(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": _IDENTIFIER} | written


def _allow_references(schema: Any) -> Any:  # noqa: ANN401 - any part of a JSON Schema
    if isinstance(schema, list):
        return [_allow_references(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {
        key: _allow_references(value) for key, value in schema.items() if key != "title" or not isinstance(value, str)
    }
    if inner.get("type") not in _RESOLVED_LATER or "const" in inner:
        return inner
    outer = {key: inner.pop(key) for key in ("description", "default", "examples") if key in inner}
    return {"anyOf": [inner, dict(_REFERENCE)]} | outer
