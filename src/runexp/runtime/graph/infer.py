"""Sizes of inputs that a layer's definition leaves out, read off the data that reaches it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from torch import Tensor

# parameter of the layer → the axis of its input that it counts; batches lie along axis 0
_AXES: Mapping[str, int] = {
    "in_features": -1,
    "in1_features": -1,
    "input_size": -1,
    "embed_dim": -1,
    "d_model": -1,
    "normalized_shape": -1,
    "in_channels": 1,
    "num_features": 1,
    "num_channels": 1,
}


def with_inferred(make: Callable[..., Any], arguments: Mapping[str, Any], first: Tensor) -> dict[str, Any]:
    """`arguments`, and what `make` requires besides and can be read off its first input."""
    filled = dict(arguments)
    for name in _required(make):
        if name in _AXES and name not in filled:
            filled[name] = _size(name, first)
    return filled


def misfit(arguments: Mapping[str, Any], first: Tensor) -> str:
    """Which size that was written its first input does not have, in words; empty where they all fit."""
    for name, written in arguments.items():
        axis = _AXES.get(name)
        if axis is not None and isinstance(written, int) and first.ndim > max(axis, 0) and first.shape[axis] != written:
            return f"`{name}` is {written}, and its input has {first.shape[axis]}"
    return ""


def _size(name: str, first: Tensor) -> int:
    axis = _AXES[name]
    if first.ndim <= max(axis, 0):
        raise ValueError(f"`{name}` cannot be read off an input of shape {tuple(first.shape)}")
    return int(first.shape[axis])


@lru_cache
def _required(make: Callable[..., Any]) -> tuple[str, ...]:
    parameters = inspect.signature(make).parameters.values()
    return tuple(parameter.name for parameter in parameters if parameter.default is parameter.empty)
