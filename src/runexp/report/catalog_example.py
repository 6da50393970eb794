"""How an entry of the catalog is written in a spec: a short piece of YAML."""

from __future__ import annotations

import json
from collections.abc import Mapping

from runexp.catalog import Entry, Json, Parameter

_SUPPLIED = {"optimizer": ("params",), "schedule": ("optimizer",), "dataset": ("return_X_y", "as_frame")}
_PLACES = {
    "module": "nodes:\n  body: {{inputs: digits.pixels, {made}}}",
    "loss": "losses:\n  loss: {{node: head, {made}}}",
    "optimizer": "phases:\n  train:\n    optimizer: {{{made}}}",
    "schedule": "phases:\n  train:\n    schedule: {{{made}}}",
    "estimator": "nodes:\n  model: {{inputs: digits.pixels, {made}}}",
    "transform": "data:\n  digits:\n    transforms:\n      - {{on: pixels, {made}}}",
    "metric": "metrics:\n  score: {{{made}}}",
    "callback": "callbacks:\n  watch: {{{made}}}",
    "dataset": "data:\n  rows:\n    source: {{{made}}}",
}
_BY_TYPE: dict[str, Json] = {
    "int": 8, "float": 0.1, "bool": True, "str": "text", "list": (1,), "tuple": (1,), "tensor": (1.0,), "mapping": {},
    "object": {"use": "…"}, "callable": {"use": "…"},
}  # fmt: skip


def given_by_runexp(entry: Entry) -> tuple[str, ...]:
    """The parameters that a spec never writes."""
    there = {parameter.name for parameter in entry.parameters}
    return tuple(name for name in _SUPPLIED.get(entry.kind, ()) if name in there)


def example(entry: Entry) -> str:
    """A piece of a spec that uses the entry, with what must be written or, where nothing must, one option."""
    name = next(iter(sorted(entry.short, key=len)), entry.name)
    arguments = ", ".join(f"{key}: {_text(value)}" for key, value in _arguments(entry).items())
    is_own = bool(entry.traits.get("own"))
    made = f"use: {name}"
    if arguments:
        made += f", {arguments}" if is_own else f", with: {{{arguments}}}"
    return _PLACES.get(entry.kind, "{{{made}}}").format(made=made)


def _arguments(entry: Entry) -> dict[str, Json]:
    shown = entry.traits.get("example")
    if isinstance(shown, Mapping) and shown:
        return dict(shown)
    left_out = {*given_by_runexp(entry), *entry.words("infers")}
    written = [parameter for parameter in entry.parameters if parameter.name not in left_out]
    required = [parameter for parameter in written if parameter.required]
    if required:
        return {parameter.name: _likely(parameter) for parameter in required}
    optional = next((one for one in written if one.has_plain_default and one.default is not None), None)
    return {optional.name: optional.default} if optional else {}


def _likely(parameter: Parameter) -> Json:
    """A value that the parameter takes."""
    if parameter.choices:
        return parameter.choices[0]
    word = next((word for word in parameter.types if word in _BY_TYPE), "int")
    value = _BY_TYPE[word]
    for span in parameter.ranges[:1]:
        if isinstance(value, int | float) and value not in span:
            low = span.minimum if span.minimum is not None else span.maximum
            value = low if low is not None else value
    return value


def _text(value: Json) -> str:
    return value if isinstance(value, str) and value.isidentifier() else json.dumps(value, ensure_ascii=False)
