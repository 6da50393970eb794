"""Sizes of layers that the data give: numbers of classes and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runexp.plan.graph import Feed
from runexp.plan.values import COUNT, Call, FrozenMap
from runexp.runtime.data import FeatureSet

_EMBEDDING = "num_embeddings"


def with_counts(call: Call, sets: Mapping[str, FeatureSet]) -> Call:
    """The call with a number for every `${classes:<data>.<key>}`; `ValueError` where a key has no classes."""
    if not any(COUNT.search(str(value)) for value in call.arguments.values()):
        return call
    return replace(call, arguments=FrozenMap({name: _live(value, sets) for name, value in call.arguments.items()}))


def embedded(feeds: tuple[Feed, ...], call: Call, sets: Mapping[str, FeatureSet]) -> Call:
    """An embedding of codes fed by the data, with as many rows as there are codes; other calls as they are."""
    first = feeds[0] if feeds else None
    if first is None or first.source != "data" or not call.target.endswith((":Embedding", ":EmbeddingBag")):
        return call
    n_codes = sets[first.name].n_classes(first.key)
    if _EMBEDDING in call.arguments or not n_codes:
        return call
    return replace(call, arguments=FrozenMap({_EMBEDDING: n_codes, **call.arguments}))


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
