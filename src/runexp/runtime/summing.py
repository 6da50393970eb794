"""Losses and metrics that are means over elements, summed chunk by chunk: no output is kept for them (S-19)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from runexp.runtime.language import CausalLM, exponential, perplexity
from runexp.runtime.losses import BoundLoss
from runexp.runtime.metrics import BoundMetric

_OVER_ELEMENTS = (nn.MSELoss, nn.L1Loss, nn.HuberLoss, nn.SmoothL1Loss, nn.PoissonNLLLoss, nn.SoftMarginLoss)
_WEIGHTED = (nn.BCELoss, nn.BCEWithLogitsLoss)
_OVER_CLASSES = (nn.CrossEntropyLoss, nn.NLLLoss)

Count = Callable[..., float | Tensor]
"""What a mean was taken over, from the inputs of the loss."""


class Running(Protocol):
    """A number of a whole split that grows with its chunks."""

    def add(self, values: Sequence[Any]) -> None:
        """The slots of one chunk."""
        ...

    def result(self) -> float:
        """The number over all chunks since the last `clear`."""
        ...

    def clear(self) -> None:
        """Forget all chunks."""
        ...


class RunningMean:
    """The mean of a loss over all elements of all chunks, each chunk's mean times what it was taken over.

    Nothing is read from the device before the end.
    """

    def __init__(self, loss: Callable[..., Tensor], count: Callable[[Sequence[Any]], float | Tensor]) -> None:
        self._loss = loss
        self._count = count
        self._means: list[Tensor] = []
        self._counts: list[float | Tensor] = []

    def add(self, values: Sequence[Any]) -> None:
        """The slots of one chunk."""
        self._means.append(self._loss(values).detach())
        self._counts.append(self._count(values))

    def result(self) -> float:
        """The mean so far; NaN where nothing counted."""
        means = torch.stack(self._means).cpu().double()
        counts = torch.tensor([float(count) for count in self._counts], dtype=torch.float64)
        total = counts.sum()
        if len(means) == 1:
            return means[0].item()
        return (torch.where(counts > 0, means * counts, 0).sum() / total).item()

    def clear(self) -> None:
        """Forget all chunks."""
        self._means, self._counts = [], []


class RunningPerplexity:
    """exp of a running mean."""

    def __init__(self, mean: RunningMean) -> None:
        self._mean = mean

    def add(self, values: Sequence[Any]) -> None:
        """The slots of one chunk."""
        self._mean.add(values)

    def result(self) -> float:
        """The perplexity so far."""
        return exponential(self._mean.result())

    def clear(self) -> None:
        """Forget all chunks."""
        self._mean.clear()


def running_loss(loss: BoundLoss) -> Running | None:
    """The loss as a sum over chunks; None where that is not known to give what all rows at once give."""
    count = _count_of(loss.function)
    return RunningMean(loss, lambda values: count(*_given(loss, values), **_named(loss, values))) if count else None


def running_metric(metric: BoundMetric) -> Running | None:
    """The metric as a sum over chunks; None where it needs all rows at once."""
    if metric.function is not perplexity:
        return None
    predicted, target, *masks = metric.slots
    function, slots = CausalLM(), (predicted, target, *masks)

    def loss(values: Sequence[Any]) -> Tensor:
        value: Tensor = function(*[values[slot] for slot in slots])
        return value

    return RunningPerplexity(RunningMean(loss, lambda values: _tokens(*[values[slot] for slot in slots])))


def _count_of(function: object) -> Count | None:
    if isinstance(function, CausalLM):
        return _tokens
    if getattr(function, "reduction", "") != "mean":
        return None
    if type(function) in _OVER_ELEMENTS or (isinstance(function, _WEIGHTED) and function.weight is None):
        return _elements
    if isinstance(function, _OVER_CLASSES) and function.weight is None:
        ignored = function.ignore_index
        return lambda input, target: _classes(input, target, ignored)
    return None


def _tokens(input: Tensor, target: Tensor, mask: Tensor | None = None) -> float | Tensor:
    return target.numel() if mask is None else mask.sum()


def _elements(input: Tensor, target: Tensor) -> float | Tensor:
    return max(input.numel(), target.numel())


def _classes(input: Tensor, target: Tensor, ignored: int) -> float | Tensor:
    """Labels that are not ignored; of chances of classes, one for each distribution."""
    if target.is_floating_point():
        return target.numel() // max(1, input.shape[1 if input.ndim > 1 else 0])
    return (target != ignored).sum()


def _given(loss: BoundLoss, values: Sequence[Any]) -> list[Any]:
    return [values[slot] for slot in loss.positional]


def _named(loss: BoundLoss, values: Sequence[Any]) -> dict[str, Any]:
    return {name: values[slot] for name, slot in loss.keyword}
