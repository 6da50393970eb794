"""scikit-learn's declared parameter constraints → the catalog's words, choices and ranges."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import _param_validation as validation

from runexp.catalog.entry import Parameter, Range, RangeType

_RANGE_TYPES: dict[type, RangeType] = {
    Integral: "int",
    int: "int",
    validation.RealNotInt: "float",
    Real: "real",
    float: "real",
}
_TYPES: dict[object, tuple[str, ...]] = {
    None: ("none",),
    "array-like": ("list",),
    "sparse matrix": (),
    "boolean": ("bool",),
    "cv_object": ("int", "list", "object", "none"),
    "random_state": ("int", "none"),
    "verbose": ("int", "bool"),
    callable: ("callable",),
    bool: ("bool",),
    dict: ("mapping",),
    list: ("list",),
    np.ndarray: ("list",),
    set: ("list",),
    str: ("str",),
    tuple: ("tuple",),
}
_RANGES: dict[object, Range] = {
    "cv_object": Range("int", 2),
    "random_state": Range("int", 0, 2**32 - 1),
    "verbose": Range("int", 0),
}
_ORDER = (
    "int",
    "float",
    "infinity",
    "bool",
    "str",
    "list",
    "tuple",
    "mapping",
    "callable",
    "object",
    "any",
    "none",
)


def constrained(parameter: Parameter, constraints: object) -> Parameter:
    """The parameter with what its constraints allow; `no_validation` allows anything."""
    if parameter.name == "memory":
        # A path would make joblib unpickle whatever lies there.
        return dataclasses.replace(parameter, types=("none",))
    if not isinstance(constraints, list):
        return parameter
    shown = [constraint for constraint in constraints if not isinstance(constraint, validation.Hidden)]
    types = {word for constraint in shown for word in _types_of(constraint)}
    if "any" in types:
        return parameter
    ranges = tuple(span for constraint in shown for span in _ranges_of(constraint))
    choices = [choice for constraint in shown for choice in _choices_of(constraint)]
    if str in shown:
        choices = [choice for choice in choices if not isinstance(choice, str)]
    bounded = any(not _is_free(span) for span in ranges)
    return dataclasses.replace(
        parameter,
        types=tuple(sorted(types, key=_ORDER.index)),
        ranges=ranges if bounded else (),
        choices=tuple(sorted(choices, key=lambda choice: (type(choice).__name__, choice))),
    )


def _types_of(constraint: Any) -> Iterable[str]:  # noqa: ANN401 - constraints have no common type
    if isinstance(constraint, validation.StrOptions):
        return ("str",)
    if isinstance(constraint, validation.Options) and math.inf in constraint.options:
        return ("infinity", "float") if len(constraint.options) > 1 else ("infinity",)
    if isinstance(constraint, validation.Interval | validation.Options):
        return _number_words(constraint.type) or ("any",)
    if isinstance(constraint, validation.HasMethods):
        return ("any",) if "__iter__" in constraint.methods else ("object",)
    if isinstance(constraint, str) and constraint == "nan":
        return ("float",)
    if isinstance(constraint, type):
        return _TYPES.get(constraint) or _number_words(constraint) or ("object",)
    return _TYPES.get(constraint, ("any",))


def _number_words(number: type) -> tuple[str, ...]:
    words: dict[RangeType, tuple[str, ...]] = {"int": ("int",), "float": ("float",), "real": ("float",)}
    return words[_RANGE_TYPES[number]] if number in _RANGE_TYPES else ()


def _ranges_of(constraint: Any) -> Iterable[Range]:  # noqa: ANN401
    if isinstance(constraint, validation.Interval):
        closed = constraint.closed
        yield Range(
            _RANGE_TYPES[constraint.type],
            _bound(constraint.left),
            _bound(constraint.right),
            closed in ("left", "both"),
            closed in ("right", "both"),
        )
    elif isinstance(constraint, type) and constraint in _RANGE_TYPES:
        yield Range(_RANGE_TYPES[constraint])
    elif isinstance(constraint, str) and constraint in _RANGES:
        yield _RANGES[constraint]


def _choices_of(constraint: Any) -> Iterable[Any]:  # noqa: ANN401
    if not isinstance(constraint, validation.Options):
        return ()
    shown = constraint.options - getattr(constraint, "deprecated", set())
    return [option for option in shown if isinstance(option, str) or math.isfinite(option)]


def _bound(value: Any) -> float | None:  # noqa: ANN401 - ints stay ints
    if value is None or not math.isfinite(value):
        return None
    return int(value) if isinstance(value, Integral) else float(value)


def _is_free(span: Range) -> bool:
    return span.minimum is None and span.maximum is None
