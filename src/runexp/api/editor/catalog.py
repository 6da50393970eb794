"""What `use:` can name, and what each takes under `with:`, as definitions that every place shares.

For each kind of the catalog there are `use.<kind>`, its names, and `with.<kind>`, which looks at `use` and
applies the parameters of the class it names; those stand once a class, as `<kind>.<dotted path>`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from math import isqrt
from typing import TypeVar

from runexp.api.editor.references import REFERENCE, Schema
from runexp.api.editor.sharing import with_shared_values
from runexp.api.editor.values import values_of
from runexp.catalog import KINDS, Entry, Parameter, lookup, names

NESTED_KINDS = ("module", "estimator", "transform", "splitter", "metric", "loss", "function")
"""What an argument may itself be made of."""

T = TypeVar("T")

_OWN = rf"^(?!(?:torch|sklearn|torchmetrics)\.)[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$|{REFERENCE}"
_UNKNOWN = "neither a name of the catalog nor the dotted path of a class or function of your own"

OWN_CLASS: Schema = {
    "type": "string",
    "pattern": _OWN,
    "description": "a class or function of your own, by its dotted path",
    "errorMessage": _UNKNOWN,
}
# What the runtime gives them by itself.
_SUPPLIED = {
    "optimizer": frozenset({"params"}),
    "metric": frozenset({"y_true", "y_pred", "y_score", "y_prob", "y_proba", "preds", "target"}),
}
_COUNTED = frozenset({"num_embeddings", "vocab_size"})
"""What need not be given where the data say how many."""


def catalog_definitions() -> dict[str, Schema]:
    """The definitions of all kinds that have entries."""
    found: dict[str, Schema] = {}
    for kind in KINDS:
        entries = _entries(kind)
        if entries:
            found[f"use.{kind}"] = {
                "anyOf": [OWN_CLASS, *({"anyOf": group} for group in _groups(list(_names(entries))))]
            }
            found[f"with.{kind}"] = {"allOf": list(_dispatch(kind, entries))}
            found |= {_key(entry): _arguments(entry) for entry, _ in entries}
    return with_shared_values(found)


def named(kinds: Iterable[str]) -> Schema:
    """A name of one of the kinds, or of a class of the user's."""
    return {"anyOf": [{"$ref": f"#/$defs/use.{kind}"} for kind in known(kinds)]}


def name_with_arguments(kinds: Iterable[str]) -> Schema:
    """`{name: arguments}`, where the names are keys."""
    pairs = [(entry, spellings) for kind in known(kinds) for entry, spellings in _entries(kind)]
    properties = {
        name: {"$ref": f"#/$defs/{_key(entry)}", "description": entry.summary} | _needs(entry)
        for entry, spellings in pairs
        for name in spellings
    }
    pattern = f"{_exactly(properties)}|{_OWN}"
    return {
        "type": ["object"],
        "minProperties": 1,
        "maxProperties": 1,
        "properties": properties,
        "additionalProperties": {"type": ["object", "null"]},
        "propertyNames": {"pattern": pattern, "errorMessage": _UNKNOWN},
    }


def known(kinds: Iterable[str]) -> tuple[str, ...]:
    """Those of the kinds that the catalog has entries of."""
    return tuple(kind for kind in kinds if _entries(kind))


def _entries(kind: str) -> list[tuple[Entry, tuple[str, ...]]]:
    """The entries, each with all its names, short ones first; none of which the language has a section of its own."""
    spellings: dict[str, list[str]] = {}
    entries: dict[str, Entry] = {}
    for name in names(kind):
        entry = lookup(name, kind)
        if entry is not None and not entry.traits.get("section"):
            entries[entry.name] = entry
            spellings.setdefault(entry.name, []).append(name)
    return [(entries[name], tuple(spellings[name])) for name in sorted(entries)]


def _names(entries: Iterable[tuple[Entry, tuple[str, ...]]]) -> Iterator[Schema]:
    pairs = ((name, entry) for entry, spellings in entries for name in spellings)
    for name, entry in sorted(pairs, key=lambda pair: ("." in pair[0], pair[0])):
        yield {"const": name, "title": entry.name, "description": entry.summary or entry.label}


def _dispatch(kind: str, entries: list[tuple[Entry, tuple[str, ...]]]) -> Iterator[Schema]:
    """One condition a class, in groups with a condition each: what is not meant costs an editor little."""
    for group in _groups(entries):
        all_names = [name for _, spellings in group for name in spellings]
        inner = [
            {"if": _uses(spellings), "then": _then(kind, entry)}
            for entry, spellings in group
            if entry.parameters or not entry.accepts_any
        ]
        yield {"if": _uses(all_names), "then": {"allOf": inner}}


def _groups(items: list[T]) -> list[list[T]]:
    """As many groups as each has members: an editor's time grows with both, for names even with their squares."""
    size = isqrt(len(items)) + 1
    return [items[start : start + size] for start in range(0, len(items), size)]


def _uses(spellings: Iterable[str]) -> Schema:
    """The condition on `use`. A pattern: editors let a constant pass while only its beginning is written."""
    return {"required": ["use"], "properties": {"use": {"type": "string", "pattern": _exactly(spellings)}}}


def _exactly(spellings: Iterable[str]) -> str:
    return f"^(?:{'|'.join(re.escape(name) for name in spellings)})$"


def _then(kind: str, entry: Entry) -> Schema:
    reference = {"$ref": f"#/$defs/{_key(entry)}"}
    schema: Schema = {"properties": {"with": reference | _needs(entry)}}
    if kind == "optimizer":
        schema["properties"]["groups"] = {"additionalProperties": reference}
    return schema | ({"required": ["with"]} if _needs(entry) else {})


def _needs(entry: Entry) -> Schema:
    """The parameters that must be given; sizes that can be inferred need not be."""
    given = _SUPPLIED.get(entry.kind, frozenset()) | set(entry.words("infers")) | _COUNTED
    required = [found.name for found in entry.parameters if found.required and found.name not in given]
    return {"required": required} if required else {}


def _arguments(entry: Entry) -> Schema:
    supplied = _SUPPLIED.get(entry.kind, frozenset())
    inferred = entry.words("infers")
    schema: Schema = {
        "title": entry.name,
        "description": entry.summary,
        "type": ["object", "null"],
        "properties": {
            found.name: values_of(found) | _described(found, inferred=found.name in inferred)
            for found in entry.parameters
            if found.name not in supplied
        },
    }
    return schema if entry.accepts_any else schema | {"additionalProperties": False}


def _described(parameter: Parameter, *, inferred: bool) -> Schema:
    """What an editor shows of a parameter. A default of null is only told: it would be inserted."""
    remark = "left out: inferred" if inferred else ""
    if parameter.default is None and parameter.default_text:
        remark = f"default: {parameter.default_text.replace('None', 'null')}"
    summary = parameter.summary or parameter.name
    schema: Schema = {"description": f"{summary} ({remark})" if remark else summary}
    if parameter.has_plain_default and parameter.default is not None:
        schema["default"] = json.loads(json.dumps(parameter.default))
    return schema


def _key(entry: Entry) -> str:
    return f"{entry.kind}.{entry.name}"
