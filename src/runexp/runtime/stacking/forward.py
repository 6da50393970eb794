"""A forward pass of several folds at once, with their losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from runexp.runtime.graph.graph import Graph
from runexp.runtime.graph.outputs import Several
from runexp.runtime.own_code import guarded
from runexp.runtime.stacking.losses import stacked_loss
from runexp.runtime.stacking.modules import Values, stacked
from runexp.runtime.training import TrainParts


class StackedForward:
    """The forward pass and the losses of a program, on the stacked weights of several that are like it."""

    def __init__(self, parts: TrainParts) -> None:
        self.at = ""
        """The node or loss that is computed now, or was at last."""
        self._calls = [(name, _call_of(parts.graph, name), *call[1:]) for name, call in parts.forward.calls]
        self._losses = [(loss.name, stacked_loss(loss)) for loss in parts.losses]

    def __call__(self, values: Values, columns: Sequence[Tensor]) -> list[Tensor]:
        """Columns (F, N, …) of a batch: each loss by fold, (F,)."""
        slots: list[Any] = [*columns, *[None] * len(self._calls)]
        for name, call, positional, keyword, target in self._calls:
            self.at = name
            named = {argument: slots[index] for argument, index in keyword}
            slots[target] = call(values, *[slots[index] for index in positional], **named)
        losses = []
        for name, loss in self._losses:
            self.at = name
            losses.append(loss(slots))
        return losses


def _call_of(graph: Graph, name: str) -> Callable[..., Any]:
    plan = graph.plans[name]
    if name not in graph.modules:
        return _of_no_module(graph, name)
    module = graph.modules[name]
    call = stacked(module, name)
    if plan.outputs:
        call = _several(plan.outputs, module, call)
    own = next((one for one in plan.calls if one.code), None)
    return guarded(own, call) if own else call


def _of_no_module(graph: Graph, name: str) -> Callable[..., Any]:
    """One of several outputs; an estimator that reads what trains is refused when it is called."""
    pick = graph.call_of(name)

    def call(values: Values, given: Any) -> Any:  # noqa: ANN401 - what the node before gives
        if graph.plans[name].is_estimator:
            raise RuntimeError("scikit-learn takes one fold at a time")
        return pick(given)

    return call


def _several(names: tuple[str, ...], module: Any, call: Callable[..., Any]) -> Callable[..., Any]:  # noqa: ANN401 - any
    def arranged(values: Values, *inputs: Tensor, **named: Tensor) -> tuple[Tensor, ...]:
        return Several(names, module, partial(call, values))(*inputs, **named)

    return arranged
