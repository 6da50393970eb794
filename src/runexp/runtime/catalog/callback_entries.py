"""Catalog entries of the callbacks that the language has by name: their options, read off its sections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from runexp.catalog.entry import Entry, Json, Parameter, Range
from runexp.spec.base import Section
from runexp.spec.built_in_callbacks import BuiltIn, OfExperiment
from runexp.spec.callbacks import EarlyStopping, Evaluation

_WORDS = {"integer": "int", "number": "float", "boolean": "bool", "string": "str", "array": "list", "null": "none"}
_EXAMPLES: Mapping[str, Json] = {
    "split": "val",
    "monitor": "val_loss",
    "nodes": ("encoder",),
    "epoch": 5,
    "from_epoch": 20,
    "minutes": 90,
    "gigabytes": 16,
}
"""A value for each option that has to be given, whichever callback it is of."""


def callback_entries() -> Iterator[Entry]:
    """Every built-in callback, with the levels it is for: `phase`, `experiment`."""
    of_experiment = get_args(OfExperiment)
    for section in (Evaluation, EarlyStopping, *get_args(BuiltIn)):
        yield _entry(section, ("phase", "experiment") if section in of_experiment else ("phase",))


def _entry(section: type[Section], levels: tuple[str, ...]) -> Entry:
    schema = section.model_json_schema()
    required = schema.get("required", ())
    properties: dict[str, dict[str, Any]] = schema["properties"]
    name = str(properties.pop("use")["const"])
    parameters = tuple(_parameter(option, found, required=option in required) for option, found in properties.items())
    shown: dict[str, Json] = {one.name: _EXAMPLES[one.name] for one in parameters if one.required}
    traits: dict[str, Json] = {"own": True, "section": True, "levels": levels, "page": True, "example": shown}
    summary = " ".join((section.__doc__ or "").split())
    return Entry(name, "", "callback", summary, parameters, short=(name,), traits=traits)


def _parameter(name: str, schema: Mapping[str, Any], *, required: bool) -> Parameter:
    forms = schema.get("anyOf", [schema])
    default = schema.get("default")
    return Parameter(
        name,
        required=required,
        default=tuple(default) if isinstance(default, list) else default,
        default_text="" if required else "[]" if default == [] else repr(default),
        types=tuple(dict.fromkeys(_WORDS[form["type"]] for form in forms)),
        choices=tuple(word for form in forms for word in form.get("enum", ())),
        ranges=tuple(span for form in forms for span in _ranges(form)),
        summary=schema.get("description", ""),
    )


def _ranges(form: Mapping[str, Any]) -> Iterator[Range]:
    low = form.get("minimum", form.get("exclusiveMinimum"))
    high = form.get("maximum", form.get("exclusiveMaximum"))
    if low is not None or high is not None:
        kind: Any = "int" if form["type"] == "integer" else "real"
        yield Range(kind, low, high, "minimum" in form, "maximum" in form)
