"""What a graph can begin with beside data."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Noise(nn.Module):
    """Random numbers from the standard normal distribution, as many rows as its input has: what a generator starts
    from.

    Takes (N, …); gives (N, size), new numbers at each call.

    Args:
        size: numbers a row
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, …) → (N, size)."""
        dtype = inputs.dtype if inputs.is_floating_point() else torch.get_default_dtype()
        return torch.randn(len(inputs), self.size, device=inputs.device, dtype=dtype)
