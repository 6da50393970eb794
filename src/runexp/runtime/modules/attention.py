"""An encoder of sequences by attention."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from runexp.runtime.modules.parts import Pooled, over_time, sinusoids


class TransformerEncoder(nn.Module):
    """An encoder by self-attention (Vaswani et al., 2017; norms first), with positions added to a linear projection.

    Takes (N, T, C), as windows over a series are; gives (N, width) or (N, out_features), and with `output: all` the
    same for each of T steps. What a mask leaves out is not attended to.

    Args:
        input_size: numbers a step; left out: those of its input
        d_model: width of the attention
        out_features: numbers it gives; left out: `d_model`
        num_layers: layers, one on top of the other
        nhead: heads of the attention; they divide `d_model`
        dim_feedforward: width of the layers between; left out: four times `d_model`
        dropout: share of activations dropped
        max_steps: the longest sequence
        positions: sines and cosines, or learned
        output: which steps it gives
        causal: whether no step sees a later one
    """

    def __init__(
        self,
        input_size: int,
        *,
        d_model: int = 64,
        out_features: int | None = None,
        num_layers: int = 2,
        nhead: int = 4,
        dim_feedforward: int | None = None,
        dropout: float = 0.0,
        max_steps: int = 1024,
        positions: Literal["sine", "learned"] = "sine",
        output: Pooled = "mean",
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.project = nn.Linear(input_size, d_model)
        table = sinusoids(max_steps, d_model)
        if positions == "learned":
            self.positions = nn.Parameter(torch.randn(max_steps, d_model) * 0.02)
        else:
            self.register_buffer("positions", table, persistent=False)
        layer = nn.TransformerEncoderLayer(
            d_model, nhead, dim_feedforward or 4 * d_model, dropout, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, num_layers, nn.LayerNorm(d_model), enable_nested_tensor=False)
        self.output = output
        self.causal = causal
        self.head = nn.Linear(d_model, out_features) if out_features else nn.Identity()

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, T, C), and (N, T) with 1 where a step counts → (N, out_features) or (N, T, out_features)."""
        n_steps = inputs.shape[1]
        if n_steps > len(self.positions):
            raise ValueError(f"a sequence of {n_steps} steps, and `max_steps` is {len(self.positions)}")
        hidden = self.project(inputs) + self.positions[:n_steps]
        order = nn.Transformer.generate_square_subsequent_mask(n_steps, inputs.device) if self.causal else None
        ignored = None if mask is None else _ignored(mask, hidden.dtype)
        encoded = self.layers(hidden, mask=order, src_key_padding_mask=ignored, is_causal=self.causal)
        output: Tensor = self.head(over_time(encoded, mask, self.output))
        return output


def _ignored(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """(N, T), minus infinity where nothing may be attended to; a row without a step attends to its first."""
    counts = mask > 0
    counts = counts | ((~counts.any(dim=1, keepdim=True)) & (torch.arange(mask.shape[1], device=mask.device) == 0))
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~counts, float("-inf"))
