"""Losses of stacked folds: one number a fold, from what each would be given alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap

from runexp.runtime.losses import BoundLoss

StackedLoss = Callable[[Sequence[Any]], Tensor]
"""Takes the slots of a stacked forward pass; gives (F,)."""

_MEANS = frozenset(
    {nn.BCELoss, nn.BCEWithLogitsLoss, nn.HuberLoss, nn.L1Loss, nn.MSELoss, nn.SmoothL1Loss, nn.SoftMarginLoss}
)
"""Means or sums over elements that do not know of each other."""


def stacked_loss(loss: BoundLoss) -> StackedLoss:
    """The loss of every fold at once."""
    function: Any = loss.function
    if not loss.keyword and len(loss.positional) == 2:
        if type(function) in _MEANS:
            return _elementwise(function, loss.positional)
        if type(function) is nn.CrossEntropyLoss and function.weight is None:
            return _cross_entropy(function, loss.positional)
    together = vmap(lambda given, named: function(*given, **named))

    def call(values: Sequence[Any]) -> Tensor:
        named = {name: values[slot] for name, slot in loss.keyword}
        result: Tensor = together(tuple(values[slot] for slot in loss.positional), named)
        return result

    return call


def _elementwise(function: Any, slots: Sequence[int]) -> StackedLoss:  # noqa: ANN401 - one of several modules
    each = _unreduced(function)
    is_sum = function.reduction == "sum"

    def call(values: Sequence[Any]) -> Tensor:
        losses: Tensor = each(*[values[slot] for slot in slots]).flatten(1)
        return losses.sum(1) if is_sum else losses.mean(1)

    return call


def _cross_entropy(function: nn.CrossEntropyLoss, slots: Sequence[int]) -> StackedLoss:
    """A mean is over the codes that are not ignored."""
    each = _unreduced(function)
    is_sum = function.reduction == "sum"

    def call(values: Sequence[Any]) -> Tensor:
        logits, targets = (values[slot] for slot in slots)
        losses: Tensor = each(logits.flatten(0, 1), targets.flatten(0, 1)).reshape(len(logits), -1)
        if is_sum:
            return losses.sum(1)
        if targets.is_floating_point():
            return losses.mean(1)
        n_counted: Tensor = (targets != function.ignore_index).flatten(1).sum(1)
        return losses.sum(1) / n_counted

    return call


def _unreduced(function: Any) -> Any:  # noqa: ANN401 - one of several modules
    each = copy.copy(function)
    each.reduction = "none"
    return each


def total_of(losses: Sequence[Tensor], weights: Sequence[Sequence[float]]) -> Tensor:
    """The weighted sum (F,) of losses (F,); `weights` by loss and fold, which differ where phases are of other
    lengths."""
    total = _times(losses[0], weights[0])
    for loss, each in zip(losses[1:], weights[1:], strict=True):
        total = total + _times(loss, each)
    return total


def _times(loss: Tensor, weights: Sequence[float]) -> Tensor:
    if all(weight == weights[0] for weight in weights):
        return loss if weights[0] == 1.0 else loss * weights[0]
    return loss * torch.tensor(weights, dtype=loss.dtype, device=loss.device)
