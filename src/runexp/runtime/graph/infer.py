"""Sizes of inputs that a layer's definition leaves out, read off the data that reaches it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from torch import Tensor, nn

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

# what takes rows along its second axis unless told otherwise
_ROWS_SECOND = (
    nn.RNNBase, nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerDecoderLayer, nn.Transformer,
)  # fmt: skip


def with_inferred(make: Callable[..., Any], arguments: Mapping[str, Any], first: Tensor) -> dict[str, Any]:
    """`arguments`, and what `make` requires besides and can be read off its first input.

    Rows lie along the first axis everywhere, so `batch_first` is true where a layer has it.
    """
    filled = dict(arguments)
    if isinstance(make, type) and issubclass(make, _ROWS_SECOND):
        filled.setdefault("batch_first", True)
    for name in _required(make):
        if name in _AXES and name not in filled:
            filled[name] = _size(name, first)
    return filled


def check_steps(layer: nn.Module, first: Tensor) -> None:
    """`ValueError` where a layer over sequences is given rows without steps: it would take the rows for the steps."""
    if isinstance(layer, _ROWS_SECOND) and first.ndim < 3:
        raise ValueError("it runs over sequences, (rows, steps, numbers), and its input has no axis of steps")


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
    if isinstance(make, type) and issubclass(make, nn.RNNBase):
        return ("input_size",)  # their constructors take `*args`
    parameters = inspect.signature(make).parameters.values()
    return tuple(parameter.name for parameter in parameters if parameter.default is parameter.empty)
