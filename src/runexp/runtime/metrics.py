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
from runexp.plan.values import Call
from runexp.runtime.data.problems import first_line
from runexp.runtime.data.table import Array
from runexp.runtime.graph.forward import Forward
from runexp.runtime.lanes.table import PhaseTable
from runexp.runtime.own_code import guarded, misfit
from runexp.runtime.resolve import REFUSALS, keyword_arguments, make, resolve
from runexp.runtime.torch_metrics import TorchMetric, is_of_torchmetrics
from runexp.runtime.units import OriginalUnits

_OF_SEVERAL = ("argmax", "each_step")


@dataclass(frozen=True, slots=True)
class BoundMetric:
    """A metric that reads predictions and targets from the slots of a forward pass over a split.

    `is_level`: these have one shape, so that numbers that it refuses may be right once more has been learned.
    """

    plan: MetricPlan
    function: Callable[..., float]
    arguments: dict[str, Any]
    slots: tuple[int, ...]
    names: tuple[str, ...]
    units: OriginalUnits | None = None
    is_level: bool = False

    @property
    def reads(self) -> tuple[int, ...]:
        """The slots it is given."""
        return self.slots

    def __call__(self, values: Sequence[Any]) -> float:
        """The metric over all rows."""
        if self.plan.call.code is not None:
            return self._own(values)
        predicted, others, named = self.arrays(values)
        if self.units is not None and not np.isfinite(predicted).all():
            return float("nan")  # a transform such as Yeo-Johnson's has no way back from everywhere
        try:
            return float(self.function(*others, predicted, **named, **self.arguments))
        except REFUSALS as error:
            raise self.refused(error) from error

    def arrays(self, values: Sequence[Any]) -> tuple[Array, list[Array], dict[str, Array]]:
        """Predictions as the metric takes them, the target, and what it takes by name."""
        output = values[self.slots[0]]
        by_step = self.plan.decision == "each_step" and self.plan.wants != "values"
        predicted = predictions(output.flatten(0, -2) if by_step else output, self.plan.wants, self.plan.decision)
        others = [np.asarray(values[slot].detach().cpu()) for slot in self.slots[1:]]
        if self.units is not None:
            predicted, others[self._target] = self.units.back(predicted), self.units.targets
        others = [other.reshape(-1) for other in others] if by_step else others
        predicted, *others = _aligned([predicted, *others])
        named = {name: value for name, value in zip(self.names[2:], others[1:], strict=True) if name}
        return predicted, others[:1], named

    def refused(self, error: Exception) -> SpecError:
        """What to raise where the metric does not take what it is given."""
        message = f"the metric `{self.plan.name}` cannot be computed: {first_line(error)}"
        return SpecError([_found(self.plan, "undefined-metric", message)])

    def _own(self, values: Sequence[Any]) -> float:
        """A metric of the user's: every input as an array, in the units it was read in, by its order or its name."""
        arrays = [np.asarray(values[slot].detach().cpu()) for slot in self.slots]
        if self.units is not None and self.plan.routes[0].source == "node":
            arrays[0], arrays[1 + self._target] = self.units.back(arrays[0]), self.units.targets
        given = [array for array, name in zip(arrays, self.names, strict=True) if not name]
        named = {name: array for array, name in zip(arrays, self.names, strict=True) if name}
        value = self.function(*given, **named)
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise misfit(self.plan.call, f"gives a `{type(value).__name__}`, and a metric is one number") from error

    @property
    def _target(self) -> int:
        """The position, among what predictions are compared with, of the target that has units."""
        key = self.units.key if self.units else ""
        return next(index for index, route in enumerate(self.plan.routes[1:]) if route.key == key)


def bind_metric(plan: MetricPlan, forward: Forward, values: Sequence[Any], columns: PhaseTable) -> BoundMetric:
    """Bind a metric; its first route gives the predictions, the second the targets, others go by keyword.

    `values` are the slots of the first rows: a metric of classes over numbers that are none is a `SpecError`.
    """
    _check_labels(plan, values[forward.slot(forward.read_by(plan.node, plan.routes[0]))])
    function, arguments = _own(plan.call) if plan.call.code else _of_catalog(plan)
    slots = tuple(forward.slot(forward.read_by(plan.node, route)) for route in plan.routes)
    names = tuple(route.argument for route in plan.routes)
    units = _units(plan, values[slots[0]], columns)
    is_level = len({tuple(size for size in values[slot].shape[1:] if size != 1) for slot in slots[:2]}) == 1
    return BoundMetric(plan, function, arguments, slots, names, units, is_level)


def _of_catalog(plan: MetricPlan) -> tuple[Callable[..., float], dict[str, Any]]:
    if is_of_torchmetrics(plan):
        return TorchMetric(plan), {}
    function = resolve(plan.call)
    return function, keyword_arguments(plan.call, function)


def _own(call: Call) -> tuple[Callable[..., float], dict[str, Any]]:
    made = make(call)
    if not callable(made):
        raise misfit(call, f"makes a `{type(made).__name__}`, and a metric is called with outputs and targets")
    return guarded(call, made), {}


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


def _units(plan: MetricPlan, output: Tensor, columns: PhaseTable) -> OriginalUnits | None:
    """The way back to original units; None where none is asked for, or where the metric will say what misfits."""
    units = columns.original_units(plan.routes[1:]) if plan.units == "original" else None
    if units is None or output.is_meta or not units.fits(np.asarray(output.detach().cpu())):
        return None
    if not units.is_open:
        message = f"`{plan.name}` cannot be in original units: a transform of `targets.{units.key}` has no way back"
        hint = f"`{{use: {plan.call.name}, units: transformed}}` compares what the node learns"
        raise SpecError([_found(plan, "no-inverse", message, hint)])
    return units


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
    if decision in _OF_SEVERAL and output.ndim > 1 and output.shape[1] > 1:
        return output.argmax(dim=1)
    threshold = 0.5 if decision == "probability" else 0.0
    return (output > threshold).long()


def _scores(output: Tensor, decision: Decision) -> Tensor:
    if decision in _OF_SEVERAL and output.ndim > 1 and output.shape[1] > 1:
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
