"""Signatures of Python callables → the catalog's parameters."""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import math
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from runexp.catalog.docstrings import parameter_summaries
from runexp.catalog.entry import Json, Parameter
from runexp.runtime.catalog.annotations import accepted_by

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def named_parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """What can be given by keyword, without private names; annotations are resolved."""
    names = {**vars(collections.abc), **vars(typing), **getattr(function, "__globals__", {})}
    return {
        name: parameter.replace(annotation=_resolved(parameter.annotation, names))
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in _NAMED and not name.startswith("_") and name != "self"
    }


def _resolved(annotation: object, names: dict[str, Any]) -> object:
    """The annotation, also where it is text; names that only a type checker imports cannot be resolved."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, names)  # the text of an installed library, which is imported already
    except NameError:
        return inspect.Parameter.empty


def takes_any_keyword(function: Callable[..., Any]) -> bool:
    """Whether there is a `**kwargs`."""
    kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds


def described_parameters(parameters: Mapping[str, inspect.Parameter], docstring: str | None) -> tuple[Parameter, ...]:
    """Parameters with types from their annotations and summaries from the docstring."""
    summaries = parameter_summaries(docstring)
    return tuple(described_parameter(parameter, summaries.get(name, "")) for name, parameter in parameters.items())


def described_parameter(parameter: inspect.Parameter, summary: str) -> Parameter:
    """One parameter; a default of None or of another type than annotated widens what it takes."""
    required = parameter.default is inspect.Parameter.empty
    accepted = accepted_by(parameter.annotation)
    types = accepted.types
    if parameter.default is None and "any" not in types and "none" not in types:
        types = (*types, "none")
    return Parameter(
        name=parameter.name,
        required=required,
        default=None if required else plain_default(parameter.default),
        default_text="" if required else default_text(parameter.default),
        types=types,
        choices=accepted.choices,
        summary=summary,
    )


def plain_default(value: object) -> Json:
    """The value as JSON, or None where JSON has no such thing."""
    try:
        return _plain(value)
    except TypeError:
        return None


def _plain(value: object) -> Json:
    if isinstance(value, tuple | list):
        return tuple(_plain(part) for part in value)
    if isinstance(value, np.float64):
        return _plain(float(value))
    if value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value)):
        return value  # type: ignore[return-value]  # narrowed by its exact type
    raise TypeError(value)


def default_text(value: object) -> str:
    """The default as a user would write it in Python, free of memory addresses."""
    if inspect.isroutine(value) or inspect.isclass(value):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, np.float64):
        return repr(float(value))
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def typed_by_default(parameter: Parameter) -> Parameter:
    """A parameter that says no type takes what its default is: true or false, or a number or nothing."""
    if parameter.types != ("any",):
        return parameter
    if isinstance(parameter.default, bool):
        return dataclasses.replace(parameter, types=("bool",))
    if isinstance(parameter.default, float):
        return dataclasses.replace(parameter, types=("float", "none"))
    return parameter


def public_overload(function: Callable[..., Any]) -> Callable[..., Any]:
    """The first of a function's overloads, where it has some: it says more than `*args, **kwargs`."""
    overloads = typing.get_overloads(function)
    return overloads[0] if overloads else function
