"""A source of rows, a module, a loss and a metric, as plain Python: nothing here knows of runexp."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn


def waves(rows: int, noise: float = 0.1, seed: int | None = None) -> Iterator[dict[str, float]]:
    """Points on a damped wave, one mapping a row. `seed` comes from the spec's where it is left out."""
    draw = random.Random(seed)
    for number in range(rows):
        x = draw.uniform(-3, 3)
        y = math.exp(-abs(x) / 3) * math.sin(3 * x) + draw.gauss(0, noise)
        yield {"number": number, "x": x, "y": y}


class Waves(nn.Module):
    """Features of a number: sines and cosines of growing frequency. (N, 1) → (N, 2 * frequencies)."""

    def __init__(self, frequencies: int = 8) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.arange(1, frequencies + 1) / 2)

    def forward(self, x: Tensor) -> Tensor:
        angles = x * self.scale
        return torch.cat([angles.sin(), angles.cos()], dim=1)


def pinball(outputs: Tensor, targets: Tensor, quantile: float = 0.5) -> Tensor:
    """The loss whose minimum is a quantile of the target: a line for the median, another for the 90 % bound."""
    error = targets - outputs.squeeze(1)
    return torch.maximum(quantile * error, (quantile - 1) * error).mean()


def coverage(outputs: np.ndarray, targets: np.ndarray) -> float:
    """The share of rows that lie below what was predicted; a whole split at once, as arrays."""
    return float((targets <= outputs[:, 0]).mean())
