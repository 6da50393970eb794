"""Recurrent networks over sequences that may differ in length."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from runexp.runtime.modules.parts import Pooled, over_time


class _Recurrent(nn.Module):
    """Cells run over a sequence, and a linear layer on what they give."""

    _kind: ClassVar[type[nn.LSTM | nn.GRU]]

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: int = 64,
        out_features: int | None = None,
        num_layers: int = 1,
        bidirectional: bool = False,
        output: Pooled = "last",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.cells = self._kind(
            input_size, hidden_size, num_layers, batch_first=True, bidirectional=bidirectional, dropout=dropout
        )
        self.output = output
        width = hidden_size * (2 if bidirectional else 1)
        self.head = nn.Linear(width, out_features) if out_features else nn.Identity()

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, T, C), and (N, T) with 1 where a step counts → (N, out_features) or (N, T, out_features)."""
        output: Tensor = self.head(_summary(self.cells, inputs, mask, self.output))
        return output


class LSTM(_Recurrent):
    """A long short-term memory over a sequence, and a linear layer on what it gives.

    Takes (N, T, C), as windows over a series are; gives (N, width) or (N, out_features), and with `output: all` the
    same for each of T steps. Where a mask is given, what it leaves out is not run through.

    Args:
        input_size: numbers a step; left out: those of its input
        hidden_size: width of the state
        out_features: numbers it gives; left out: the state, twice as wide where it runs both ways
        num_layers: layers, one on top of the other
        bidirectional: whether it also runs from the end to the start
        output: which steps it gives
        dropout: share of activations dropped between layers
    """

    _kind = nn.LSTM


class GRU(_Recurrent):
    """Gated recurrent units over a sequence, and a linear layer on what they give.

    Takes (N, T, C), as windows over a series are; gives (N, width) or (N, out_features), and with `output: all` the
    same for each of T steps. Where a mask is given, what it leaves out is not run through.

    Args:
        input_size: numbers a step; left out: those of its input
        hidden_size: width of the state
        out_features: numbers it gives; left out: the state, twice as wide where it runs both ways
        num_layers: layers, one on top of the other
        bidirectional: whether it also runs from the end to the start
        output: which steps it gives
        dropout: share of activations dropped between layers
    """

    _kind = nn.GRU


def _summary(cells: nn.LSTM | nn.GRU, inputs: Tensor, mask: Tensor | None, how: Pooled) -> Tensor:
    """What the cells give, over time. Of cells that run both ways, `last` is the state each way ended with."""
    n_steps = inputs.shape[1]
    if mask is None:
        sequence, state = cells(inputs)
    else:
        lengths = mask.sum(dim=1).clamp(min=1).to("cpu", torch.int64)
        packed, state = cells(pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False))
        sequence, _ = pad_packed_sequence(packed, batch_first=True, total_length=n_steps)
    if how != "last":
        return over_time(sequence, mask, how)
    hidden: Tensor = state[0] if isinstance(state, tuple) else state
    ways = 2 if cells.bidirectional else 1
    return hidden[-ways:].transpose(0, 1).flatten(1)
