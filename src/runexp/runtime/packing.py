"""Nested state ↔ JSON and tensors: what a checkpoint holds beside weights."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

_TENSOR, _ARRAY, _PAIRS, _TUPLE, _NUMPY = "$tensor", "$array", "$pairs", "$tuple", "$numpy"


class Unpackable(TypeError):  # noqa: N818 - it reads as what happened
    """A part of a state is of a kind that no checkpoint can hold."""


def pack(value: Any) -> tuple[Any, dict[str, Tensor]]:  # noqa: ANN401 - any nested state
    """The JSON data of a state, and its tensors (on the CPU, copied) by the names that stand for them there.

    Numbers, texts, lists, tuples, mappings with any keys, typed arrays, NumPy arrays and tensors come back as they
    were, bit for bit. `Unpackable` names where anything else stands.
    """
    tensors: dict[str, Tensor] = {}
    return _packed(value, "", tensors), tensors


def unpack(data: Any, tensors: Mapping[str, Tensor]) -> Any:  # noqa: ANN401 - any nested state
    """The state that `pack` took apart."""
    if isinstance(data, list):
        return [unpack(item, tensors) for item in data]
    if not isinstance(data, dict):
        return data
    for mark, back in _BACK.items():
        if mark in data:
            return back(data[mark], tensors)
    return {key: unpack(item, tensors) for key, item in data.items()}


def _packed(value: Any, place: str, tensors: dict[str, Tensor]) -> Any:  # noqa: ANN401 - any nested state
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (Tensor, np.ndarray)):
        name = f"{len(tensors)}"
        whole = (
            value
            if isinstance(value, Tensor)
            else torch.from_numpy(value.astype(_SIGNED.get(value.dtype, value.dtype)))
        )
        tensors[name] = whole.detach().cpu().contiguous().clone()
        return {_TENSOR: name} if isinstance(value, Tensor) else {_NUMPY: [name, str(value.dtype)]}
    if isinstance(value, array):
        return {_ARRAY: [value.typecode, list(value)]}
    if isinstance(value, (list, tuple)):
        items = [_packed(item, f"{place}[{index}]", tensors) for index, item in enumerate(value)]
        return {_TUPLE: items} if isinstance(value, tuple) else items
    if isinstance(value, Mapping):
        return _packed_mapping(value, place, tensors)
    raise Unpackable(f"{place.lstrip('.') or 'a state'} is a {type(value).__name__}, which no checkpoint can hold")


def _packed_mapping(value: Mapping[Any, Any], place: str, tensors: dict[str, Tensor]) -> dict[str, Any]:
    items = [(key, _packed(item, f"{place}.{key}", tensors)) for key, item in value.items()]
    if all(isinstance(key, str) and not key.startswith("$") for key, _ in items):
        return dict(items)
    return {_PAIRS: [[_packed(key, f"{place}.{key}", tensors), item] for key, item in items]}


def _numpy(data: list[str], tensors: Mapping[str, Tensor]) -> Any:  # noqa: ANN401 - an array
    name, dtype = data
    return tensors[name].numpy().astype(dtype)


_BACK: Mapping[str, Callable[[Any, Mapping[str, Tensor]], Any]] = {
    _TENSOR: lambda data, tensors: tensors[data],
    _NUMPY: _numpy,
    _ARRAY: lambda data, tensors: array(*data),
    _TUPLE: lambda data, tensors: tuple(unpack(item, tensors) for item in data),
    _PAIRS: lambda data, tensors: {unpack(key, tensors): unpack(item, tensors) for key, item in data},
}

# Of the same width in PyTorch, so that no bit is lost on the way.
_SIGNED: Mapping[Any, Any] = {np.dtype("uint32"): np.dtype("int64"), np.dtype("uint16"): np.dtype("int32")}
