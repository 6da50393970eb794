"""The whole schema: the language, the catalog, and what joins them."""

from __future__ import annotations

from runexp.api.editor.catalog import NESTED_KINDS, catalog_definitions, known, named
from runexp.api.editor.language import Rewriting
from runexp.api.editor.parts import part_name, parts
from runexp.api.editor.references import Schema
from runexp.api.editor.values import MADE, VALUE
from runexp.spec.json_schema import json_schema


def editor_schema() -> Schema:
    """The schema of a spec as it is written, with every class of the catalog (JSON Schema, draft 2020-12)."""
    language = json_schema()
    rewriting = Rewriting(language.pop("$defs"))
    whole = rewriting.schema({key: value for key, value in language.items() if not key.startswith("$")}, "spec")
    definitions = {"Spec": whole} | rewriting.everything()
    head = {key: value for key, value in language.items() if key.startswith("$")}
    return {
        **head,
        "description": whole["description"],
        "type": "object",
        "if": {"required": ["extends"]},
        "then": {"$ref": f"#/$defs/{part_name('Spec')}"},
        "else": {"$ref": "#/$defs/Spec"},
        "$defs": definitions | parts(definitions) | _nested() | catalog_definitions(),
    }


def _nested() -> dict[str, Schema]:
    """Arguments that are themselves made with `use:`."""
    made: Schema = {
        "required": ["use"],
        "properties": {
            "use": {"description": "what it is made from: a name of the catalog", **named(NESTED_KINDS)},
            "with": {"type": "object", "description": "its keyword arguments"},
        },
        "additionalProperties": False,
        "allOf": [{"$ref": f"#/$defs/with.{kind}"} for kind in known(NESTED_KINDS)],
    }
    condition: Schema = {"if": {"type": "object", "required": ["use"]}, "then": {"$ref": MADE}}
    perhaps: Schema = {"properties": {"use": {"type": "string", "description": "what it is made from"}}} | condition
    inside: Schema = {"items": {"$ref": VALUE}, "additionalProperties": {"$ref": VALUE}}
    value: Schema = {"type": ["string", "number", "boolean", "array", "object", "null"], **condition, "else": inside}
    return {"made": made, "perhaps-made": perhaps, "value": value}
