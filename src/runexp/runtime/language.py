"""The loss and the metric of models of language: logits at every step against the tokens there."""

from __future__ import annotations

import math
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional


class CausalLM(nn.Module):
    """Cross-entropy over steps: logits (…, V) against codes (…) such as (batch, time), a mean over what counts (S-17).

    `mask` (…) is 1 where a token counts and 0 where not; where none does, the loss is 0.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            logits, codes = input.flatten(0, -2), target.flatten()
            return functional.cross_entropy(logits, codes, label_smoothing=self.label_smoothing)
        losses, count = self.terms(input, target, mask)
        return losses.sum() / count.clamp_min(1)

    def terms(self, input: Tensor, target: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The loss of every token, 0 where it does not count, and how many count."""
        logits, codes = input.flatten(0, -2), target.flatten()
        losses = functional.cross_entropy(logits, codes, label_smoothing=self.label_smoothing, reduction="none")
        if mask is None:
            return losses, torch.tensor(losses.numel())
        counts = mask.flatten().to(losses.dtype)
        return losses * counts, counts.sum()


def perplexity(y_true: NDArray[Any], y_pred: NDArray[Any], mask: NDArray[Any] | None = None) -> float:
    """exp of the mean cross-entropy of logits (…, V) and codes (…), over the tokens whose mask is not 0."""
    given = [torch.as_tensor(y_pred), torch.as_tensor(y_true)] + ([] if mask is None else [torch.as_tensor(mask)])
    return exponential(CausalLM()(*given).item())


def exponential(value: float) -> float:
    """exp, infinite where it is too large for a float."""
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf
