"""Losses and metrics that are means over elements, summed chunk by chunk: no output is kept for them (S-19)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from runexp.runtime.language import CausalLM, exponential, perplexity
from runexp.runtime.losses import BoundLoss
from runexp.runtime.metrics import BoundMetric
from runexp.runtime.resolve import REFUSALS
from runexp.runtime.torch_metrics import TorchMetric

_OVER_ELEMENTS = (nn.MSELoss, nn.L1Loss, nn.HuberLoss, nn.SmoothL1Loss, nn.PoissonNLLLoss, nn.SoftMarginLoss)
_WEIGHTED = (nn.BCELoss, nn.BCEWithLogitsLoss)
_OVER_CLASSES = (nn.CrossEntropyLoss, nn.NLLLoss)

Terms = Callable[..., tuple[Tensor, float | Tensor]]
"""From the inputs of a loss: its value for each element, and how many of them its mean is over."""


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
    """The mean of a loss over all elements of all chunks.

    Sums are of double precision and the mean is rounded to that of the loss, so that it does not depend on the size
    of chunks. Nothing is read from the device before the end.
    """

    def __init__(self, terms: Callable[[Sequence[Any]], tuple[Tensor, float | Tensor]]) -> None:
        self._terms = terms
        self._dtype = torch.float32
        self._sums: list[Tensor] = []
        self._counts: list[float | Tensor] = []

    def add(self, values: Sequence[Any]) -> None:
        """The slots of one chunk."""
        each, count = self._terms(values)
        self._dtype = each.dtype
        self._sums.append(each.sum(dtype=torch.float32 if each.device.type == "mps" else torch.float64))
        self._counts.append(count)

    def result(self) -> float:
        """The mean so far; NaN where nothing counted."""
        total = torch.stack(self._sums).cpu().double().sum()
        count = sum(float(count) for count in self._counts)
        return float((total / count).to(self._dtype).item())

    def clear(self) -> None:
        """Forget all chunks."""
        self._sums, self._counts = [], []


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


class RunningTorchMetric:
    """A metric of torchmetrics, which keeps what it needs of every chunk itself.

    What it does not take is said when the number is asked for, as of a metric over all rows.
    """

    def __init__(self, bound: BoundMetric, metric: TorchMetric) -> None:
        self._bound, self._metric = bound, metric
        self._error: Exception | None = None

    def add(self, values: Sequence[Any]) -> None:
        """The slots of one chunk."""
        predicted, others, named = self._bound.arrays(values)
        try:
            self._metric.add(others[0], predicted, **named)
        except REFUSALS as error:
            self._error = self._error or error

    def result(self) -> float:
        """The metric over all chunks; `SpecError` where it cannot be computed."""
        try:
            if self._error is not None:
                raise self._error
            return self._metric.result()
        except REFUSALS as error:
            raise self._bound.refused(error) from error

    def clear(self) -> None:
        """Forget all chunks."""
        self._error = None
        self._metric.clear()


def running_loss(loss: BoundLoss) -> Running | None:
    """The loss as a sum over chunks; None where that is not known to give what all rows at once give."""
    terms = _terms_of(loss.function)
    if terms is None:
        return None

    def read(values: Sequence[Any]) -> tuple[Tensor, float | Tensor]:
        return terms(*(values[slot] for slot in loss.positional), **{name: values[slot] for name, slot in loss.keyword})

    return RunningMean(read)


def running_metric(metric: BoundMetric) -> Running | None:
    """The metric as a sum over chunks; None where it needs all rows at once."""
    if isinstance(metric.function, TorchMetric) and metric.units is None:
        return RunningTorchMetric(metric, metric.function)
    if metric.function is not perplexity:
        return None
    terms = CausalLM().terms
    return RunningPerplexity(RunningMean(lambda values: terms(*(values[slot] for slot in metric.slots))))


def _terms_of(function: object) -> Terms | None:
    if isinstance(function, CausalLM):
        return function.terms
    if getattr(function, "reduction", "") != "mean" or not isinstance(function, nn.Module):
        return None
    each: Any = copy.copy(function)
    each.reduction = "none"
    if type(function) in _OVER_ELEMENTS or (isinstance(function, _WEIGHTED) and function.weight is None):
        return lambda *given, **named: _elements(each(*given, **named))
    if isinstance(function, _OVER_CLASSES) and function.weight is None:
        return lambda input, target: (each(input, target), _n_classified(input, target, function.ignore_index))
    return None


def _elements(each: Tensor) -> tuple[Tensor, float | Tensor]:
    return each, each.numel()


def _n_classified(input: Tensor, target: Tensor, ignored: int) -> float | Tensor:
    """Labels that are not ignored; of chances of classes, one for each distribution."""
    if target.is_floating_point():
        return target.numel() // max(1, input.shape[1 if input.ndim > 1 else 0])
    return (target != ignored).sum()
