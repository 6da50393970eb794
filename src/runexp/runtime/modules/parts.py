"""What several networks are made of: activations, norms, positions, pooling over time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Activation = Literal["relu", "gelu", "silu", "tanh", "elu", "leaky_relu", "sigmoid"]
Norm = Literal["batch", "layer"]
Pooled = Literal["last", "mean", "max", "all"]

_ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "leaky_relu": nn.LeakyReLU,
    "sigmoid": nn.Sigmoid,
}


def activation_of(name: Activation) -> nn.Module:
    """A new activation; `ValueError` for a name there is none of."""
    if name not in _ACTIVATIONS:
        raise ValueError(f"there is no activation `{name}`; there are {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]()


def dropout_of(share: float) -> list[nn.Module]:
    """A dropout, or nothing where its share is 0."""
    return [nn.Dropout(share)] if share else []


def over_time(sequence: Tensor, mask: Tensor | None, how: Pooled) -> Tensor:
    """(N, T, C) → (N, C), or (N, T, C) for `all`; of what the mask (N, T), 1 where there is a step, lets count.

    A row without a single step gives zeros.
    """
    if how == "all":
        return sequence
    if mask is None:
        return {"last": _last, "mean": _mean, "max": _max}[how](sequence)
    counts = mask.to(sequence.dtype).unsqueeze(-1)
    n_steps = counts.sum(dim=1)
    if how == "mean":
        return (sequence * counts).sum(dim=1) / n_steps.clamp(min=1)
    if how == "max":
        lowest = torch.finfo(sequence.dtype).min
        return sequence.masked_fill(counts == 0, lowest).amax(dim=1) * (n_steps > 0)
    steps = torch.arange(sequence.shape[1], device=sequence.device)
    last = (mask.to(torch.int64) * (steps + 1)).amax(dim=1) - 1
    rows = torch.arange(len(sequence), device=sequence.device)
    return sequence[rows, last.clamp(min=0)] * (last >= 0).to(sequence.dtype).unsqueeze(-1)


def sinusoids(n_positions: int, width: int) -> Tensor:
    """(T, C): sines and cosines of falling frequency (Vaswani et al., 2017, section 3.5)."""
    positions = torch.arange(n_positions, dtype=torch.float32).unsqueeze(1)
    frequencies = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
    table = torch.zeros(n_positions, width)
    table[:, 0::2] = torch.sin(positions * frequencies)
    table[:, 1::2] = torch.cos(positions * frequencies[: width // 2])
    return table


def _last(sequence: Tensor) -> Tensor:
    return sequence[:, -1]


def _mean(sequence: Tensor) -> Tensor:
    return sequence.mean(dim=1)


def _max(sequence: Tensor) -> Tensor:
    return sequence.amax(dim=1)
