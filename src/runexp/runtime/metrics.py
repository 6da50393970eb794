"""Metrics over a whole split, through scikit-learn's functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.graph import Decision, MetricPlan
from runexp.runtime.data.problems import first_line
from runexp.runtime.graph.forward import Forward
from runexp.runtime.resolve import REFUSALS, keyword_arguments, resolve


@dataclass(frozen=True, slots=True)
class BoundMetric:
    """A metric that reads predictions and targets from the slots of a forward pass over a split."""

    plan: MetricPlan
    function: Callable[..., float]
    arguments: dict[str, Any]
    slots: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def reads(self) -> tuple[int, ...]:
        """The slots it is given."""
        return self.slots

    def __call__(self, values: Sequence[Any]) -> float:
        """The metric over all rows."""
        predicted = predictions(values[self.slots[0]], self.plan.wants, self.plan.decision)
        others = [np.asarray(values[slot].detach().cpu()) for slot in self.slots[1:]]
        predicted, *others = _aligned([predicted, *others])
        named = {name: value for name, value in zip(self.names[2:], others[1:], strict=True) if name}
        try:
            return float(self.function(*others[:1], predicted, **named, **self.arguments))
        except REFUSALS as error:
            message = f"the metric `{self.plan.name}` cannot be computed: {first_line(error)}"
            raise SpecError([_found(self.plan, "undefined-metric", message)]) from error


def bind_metric(plan: MetricPlan, forward: Forward, values: Sequence[Any]) -> BoundMetric:
    """Bind a metric; its first route gives the predictions, the second the targets, others go by keyword.

    `values` are the slots of the first rows: a metric of classes over numbers that are none is a `SpecError`.
    """
    _check_labels(plan, values[forward.slot(forward.read_by(plan.node, plan.routes[0]))])
    function = resolve(plan.call)
    arguments = keyword_arguments(plan.call, function)
    slots = tuple(forward.slot(forward.read_by(plan.node, route)) for route in plan.routes)
    return BoundMetric(plan, function, arguments, slots, tuple(route.argument for route in plan.routes))


def predictions(output: Tensor, wants: str, decision: Decision) -> NDArray[Any]:
    """A node's output as what a metric takes: class labels, scores of classes, or values as they are."""
    output = output.cpu()
    if wants == "labels":
        return np.asarray(_labels(output, decision))
    if wants in ("scores", "probabilities"):
        scores = _scores(output.double(), decision)  # chances of classes add up to one only in double precision
        is_binary = wants == "scores" and decision == "argmax" and scores.ndim > 1 and scores.shape[1] == 2
        return np.asarray(scores[:, 1] if is_binary else scores)
    return np.asarray(output)


def _check_labels(plan: MetricPlan, output: Tensor) -> None:
    if output.is_meta:
        return
    has_decimals = output.is_floating_point() and bool((output != output.round()).any())
    if plan.wants == "labels" and plan.decision == "as_is" and has_decimals:
        message = f"the metric `{plan.name}` compares classes, and `{plan.node}` gives numbers with decimals"
        hint = "classes are known from a loss over classes on that node, such as `cross_entropy`"
        raise SpecError([_found(plan, "wrong-metric", message, hint)])


def _found(plan: MetricPlan, code: str, message: str, hint: str = "") -> Diagnostic:
    return Diagnostic(code, message, plan.origin.span, help=hint, path=plan.origin.path)


def _labels(output: Tensor, decision: Decision) -> Tensor:
    if decision == "as_is":
        return output
    if decision == "argmax" and output.ndim > 1 and output.shape[1] > 1:
        return output.argmax(dim=1)
    threshold = 0.5 if decision == "probability" else 0.0
    return (output > threshold).long()


def _scores(output: Tensor, decision: Decision) -> Tensor:
    if decision == "argmax" and output.ndim > 1 and output.shape[1] > 1:
        return output if _are_chances(output) else torch.softmax(output, dim=1)
    return torch.sigmoid(output) if decision == "logit" else output


def _are_chances(output: Tensor) -> bool:
    return bool((output >= 0).all()) and bool(
        torch.allclose(output.sum(1), torch.ones(len(output), dtype=output.dtype))
    )


def _aligned(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """(N, 1) beside (N,) is the same column."""
    if {array.ndim for array in arrays} == {1, 2}:
        return [array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array for array in arrays]
    return arrays
