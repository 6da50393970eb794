"""Sizes of layers that the data give: numbers of classes and tokens."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runexp.plan.graph import Feed
from runexp.plan.values import COUNT, Call, FrozenMap
from runexp.runtime.data import FeatureSet
from runexp.runtime.resolve import resolve

_COUNTED = ("num_embeddings", "vocab_size")
"""Parameters that count the codes a layer takes."""


def with_counts(call: Call, sets: Mapping[str, FeatureSet]) -> Call:
    """The call with a number for every `${classes:<data>.<key>}`; `ValueError` where a key has no classes."""
    if not any(COUNT.search(str(value)) for value in call.arguments.values()):
        return call
    return replace(call, arguments=FrozenMap({name: _live(value, sets) for name, value in call.arguments.items()}))


def embedded(feeds: tuple[Feed, ...], call: Call, sets: Mapping[str, FeatureSet]) -> Call:
    """A layer that is fed with codes by the data, with the number of codes where it needs that and is not told."""
    first = feeds[0] if feeds else None
    n_codes = sets[first.name].n_classes(first.key) if first and first.source == "data" else 0
    parameters = inspect.signature(resolve(call)).parameters.values() if n_codes else ()
    counted = {
        parameter.name: n_codes
        for parameter in parameters
        if parameter.name in _COUNTED and parameter.default is parameter.empty
    }
    return replace(call, arguments=FrozenMap({**counted, **call.arguments})) if counted else call


def _live(value: Any, sets: Mapping[str, FeatureSet]) -> Any:  # noqa: ANN401 - any value of a plan
    if isinstance(value, Call):
        return with_counts(value, sets)
    match = COUNT.fullmatch(value) if isinstance(value, str) else None
    return _count(sets[match[1]], match[2]) if match else value


def _count(features: FeatureSet, key: str) -> int:
    n_classes = features.n_classes(key)
    if not n_classes and features.dtype_of(key).kind in "iu":
        n_classes = features.bounds(key)[1] + 1
    if n_classes < 1:
        raise ValueError(f"`{features.name}.{key}` holds no classes that could be counted")
    return n_classes
