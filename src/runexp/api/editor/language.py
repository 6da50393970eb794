"""The language's own schema, rewritten as editors handle it well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runexp.api.editor.catalog import NESTED_KINDS, OWN_CLASS, known, name_with_arguments, named
from runexp.api.editor.references import A_REFERENCE, Schema, or_reference
from runexp.catalog import KINDS, lookup

_KINDS_AT = {
    "node": ("module", "estimator", "transform"),
    "layers": ("module",),
    "source": ("dataset",),
    "namedoptimizer": ("optimizer",),
}
"""Section or key → what its `use` names, where that is not the kind it is called after."""

_EMPTY: tuple[object, ...] = ({}, [], "", None)


def kinds_at(word: str) -> tuple[str, ...]:
    """The kinds that `use` may name in a section or under a key: a `splitter` in `Splitter` or `splitters`."""
    word = word.lower()
    for kind in KINDS:
        if word in (kind, f"{kind}s", f"{kind}es"):
            return (kind,)
    return _KINDS_AT.get(word, NESTED_KINDS)


class Rewriting:
    """One pass over the schema of the language; `definitions` are its `$defs`, which it looks into and adds to."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._given = definitions
        self.definitions: dict[str, Schema] = {}

    def everything(self) -> dict[str, Schema]:
        """All definitions, rewritten."""
        rewritten = {name: self.schema(schema, name) for name, schema in self._given.items() if name != "JsonValue"}
        return rewritten | self.definitions

    def schema(self, given: Any, word: str) -> Any:  # noqa: ANN401 - any part of a JSON Schema
        """The part of the schema that stands in the section, or under the key, of that name."""
        if isinstance(given, list):
            return [self.schema(item, word) for item in given]
        if not isinstance(given, dict):
            return given
        if "discriminator" in given:
            return self._chosen(given, word)
        if given.get("$ref") == "#/$defs/Use":
            return given | {"$ref": f"#/$defs/{self._use_at(word)}"}
        if given.get("$ref") == "#/$defs/JsonValue":
            return given | {"$ref": "#/$defs/value"}
        if given.get("maxProperties") == 1 == given.get("minProperties") and "additionalProperties" in given:
            return {"$ref": f"#/$defs/{self._by_name_at(word)}"}
        return self._rewritten(given, word)

    def _rewritten(self, given: Schema, word: str) -> Schema:
        inner = {key: self._keyword(key, value, word) for key, value in given.items() if not _is_noise(key, value)}
        if "patternProperties" in inner:
            inner.setdefault("additionalProperties", False)
        if "anyOf" in inner:
            return _plainer(inner)
        if "enum" in given.get("properties", {}).get("use", {}):
            inner["properties"]["use"] = _words(given["properties"]["use"], kinds_at(word))
        if {"use", "with"} <= inner.get("properties", {}).keys():
            return _made(inner, kinds_at(word))
        return or_reference(inner)

    def _keyword(self, key: str, value: Any, word: str) -> Any:  # noqa: ANN401 - as `schema`
        if key in ("properties", "patternProperties"):
            by_name = key == "properties"
            return {name: self.schema(part, name if by_name else word) for name, part in value.items()}
        if key == "anyOf":
            return self._alternatives(value, word)
        if key in ("items", "additionalProperties", "oneOf", "allOf"):
            return self.schema(value, word)
        return value

    def _alternatives(self, given: list[Schema], word: str) -> list[Schema]:
        """Where a name or a definition may stand, the catalog's names are offered too."""
        rewritten: list[Schema] = [self.schema(item, word) for item in given]
        if not any(self._has_use(item) or item.get("maxProperties") == 1 for item in given):
            return rewritten
        bare = [item for item in rewritten if item.get("type") == "string" and "pattern" not in item]
        names = [{"$ref": f"#/$defs/use.{kind}"} for kind in known(kinds_at(word))]
        if not bare or not names:
            return rewritten
        is_closed = any(item.get("maxProperties") == 1 for item in given)
        others = [item for item in rewritten if item not in bare]
        return [*([OWN_CLASS] if is_closed else bare), *names, *others]

    def _has_use(self, given: Schema) -> bool:
        target = self._given.get(given.get("$ref", "").rpartition("/")[2], {})
        return set(target.get("properties", {})) >= {"use", "with"}

    def _use_at(self, word: str) -> str:
        kinds = kinds_at(word)
        name = f"made.{'-'.join(kinds)}"
        if name not in self.definitions:
            self.definitions[name] = self._rewritten(self._given["Use"], word)
        return name

    def _by_name_at(self, word: str) -> str:
        kinds = kinds_at(word)
        name = f"by-name.{'-'.join(kinds)}"
        self.definitions[name] = name_with_arguments(kinds)
        return name

    def _chosen(self, given: Schema, word: str) -> Schema:
        """A mapping of one of several forms, shared by all places that take these."""
        name = word.capitalize().removesuffix("s")
        if name not in self.definitions:
            self.definitions[name] = self._forms(given["discriminator"])
        rest = {key: part for key, part in given.items() if key not in ("discriminator", "oneOf", "title")}
        return rest | {"$ref": f"#/$defs/{name}"}

    def _forms(self, discriminator: Schema) -> Schema:
        """Conditions on the key that tells the forms apart: mistakes of the one that is meant are reported, no others.

        Each word has a title, by which editors tell it from the same word in the form itself.
        """
        key = discriminator["propertyName"]
        forms: dict[str, str] = discriminator["mapping"]
        words = []
        for value, target in forms.items():
            form = self._given[target.rpartition("/")[2]]
            told = form["properties"][key].get("description", form["description"])
            words.append({"const": value, "title": value, "description": told})
        conditions = [
            {"if": {"required": [key], "properties": {key: _exactly(value)}}, "then": {"$ref": target}}
            for value, target in forms.items()
        ]
        properties = {key: {"description": f"one of {', '.join(forms)}", "anyOf": words}}
        return {"type": "object", "required": [key], "properties": properties, "allOf": conditions}


def _made(schema: Schema, kinds: tuple[str, ...]) -> Schema:
    """A mapping with `use` and `with`: the names of its kinds, and the parameters of the one that is named."""
    kinds = known(kinds)
    if not kinds:
        return schema
    properties = dict(schema["properties"])
    told = {key: value for key, value in properties["use"].items() if key in ("description", "examples")}
    properties["use"] = named(kinds) | told
    properties["with"] = {"type": "object", "description": properties["with"].get("description", "")}
    return schema | {"properties": properties, "allOf": [{"$ref": f"#/$defs/with.{kind}"} for kind in kinds]}


def _words(given: Schema, kinds: tuple[str, ...]) -> Schema:
    """Some names, each with what the catalog says of it."""
    entries = {name: lookup(name, kinds) for name in given["enum"]}
    words = [
        {"const": name, "title": name, "description": entry.summary if entry else given["description"]}
        for name, entry in entries.items()
    ]
    return {"description": given["description"], "anyOf": [*words, A_REFERENCE]}


def _plainer(schema: Schema) -> Schema:
    """Alternatives without those that say nothing of their own: null as a type, words of one that is told outside."""
    alternatives: list[Schema] = []
    for item in schema["anyOf"]:
        alternatives += item["anyOf"] if item.keys() == {"anyOf"} else [item]
    if "description" in schema:
        alternatives = [_untold(item) for item in alternatives]
    first = alternatives[0]
    if len(alternatives) == 2 and alternatives[1] == {"type": "null"} and "type" in first and "enum" not in first:
        kinds = first["type"] if isinstance(first["type"], list) else [first["type"]]
        return first | {key: value for key, value in schema.items() if key != "anyOf"} | {"type": [*kinds, "null"]}
    return schema | {"anyOf": alternatives}


def _untold(item: Schema) -> Schema:
    """Editors show the innermost description: that of a plain value hides what its place is for."""
    if "const" in item or "$ref" in item or item is OWN_CLASS:
        return item
    return {key: value for key, value in item.items() if key != "description"}


def _exactly(value: str) -> Schema:
    return {"type": "string", "pattern": f"^{value}$"}


def _is_noise(key: str, value: object) -> bool:
    """Titles made of key names, and empty defaults, which an editor would insert."""
    return (key == "title" and isinstance(value, str)) or (key == "default" and value in _EMPTY)
