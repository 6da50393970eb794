"""Losses bound to the slots they read, checked once against the first rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.graph import LossPlan
from runexp.runtime.columns import Columns, route_slot
from runexp.runtime.graph.forward import Forward
from runexp.runtime.resolve import make, resolve


@dataclass(frozen=True, slots=True)
class BoundLoss:
    """A loss that reads its inputs from the slots of a forward pass and gives a scalar."""

    name: str
    weight: float
    function: Callable[..., Tensor]
    positional: tuple[int, ...]
    keyword: tuple[tuple[str, int], ...]

    def __call__(self, values: Sequence[Any]) -> Tensor:
        """The loss of one batch."""
        given = [values[index] for index in self.positional]
        if self.keyword:
            return self.function(*given, **{name: values[index] for name, index in self.keyword})
        return self.function(*given)


def bind_losses(
    plans: Sequence[LossPlan], forward: Forward, columns: Columns, device: torch.device
) -> tuple[BoundLoss, ...]:
    """Bind every loss; targets are made to fit, and what cannot fit is a `SpecError`."""
    bound = tuple(_bind(plan, forward, device) for plan in plans)
    values = _first_rows(forward, columns)
    for plan, loss in zip(plans, bound, strict=True):
        _check_classes(plan, values, forward, columns)
        _fit_targets(plan, values, forward, columns)
        loss_value = _try(plan, loss, _first_rows(forward, columns))
        if loss_value.ndim:
            message = f"the loss `{plan.name}` gives {_shape(loss_value)}, not one number"
            raise SpecError([_found(plan, "unreduced-loss", message, help="leave out `reduction: none`")])
    return bound


def weighted_total(bound: Sequence[BoundLoss], losses: Sequence[Tensor]) -> Tensor:
    """The sum of losses, each times its weight."""
    total = losses[0] * bound[0].weight
    for loss, item in zip(losses[1:], bound[1:], strict=True):
        total = total + loss * item.weight
    return total


def _bind(plan: LossPlan, forward: Forward, device: torch.device) -> BoundLoss:
    target = resolve(plan.call)
    is_class = isinstance(target, type)
    function = make(plan.call).to(device) if is_class and issubclass(target, nn.Module) else target
    positional = tuple(forward.slot(route_slot(route)) for route in plan.routes if not route.argument)
    keyword = tuple((route.argument, forward.slot(route_slot(route))) for route in plan.routes if route.argument)
    return BoundLoss(plan.name, plan.weight, function, positional, keyword)


def _first_rows(forward: Forward, columns: Columns) -> list[Any]:
    with torch.no_grad():
        return forward([columns.column(slot)[:2] for slot in forward.columns])


def _fit_targets(plan: LossPlan, values: Sequence[Any], forward: Forward, columns: Columns) -> None:
    """For a loss that compares element by element: (N,) against (N, 1) is aligned, integers become floats."""
    outputs = [values[forward.slot(route_slot(route))] for route in plan.routes if route.source == "node"]
    if not plan.elementwise or not outputs:
        return
    output = outputs[0]
    for route in plan.routes:
        if route.source == "node":
            continue
        slot = route_slot(route)
        target = columns.column(slot)
        if target.ndim + 1 == output.ndim and output.shape[-1] == 1:
            target = target.unsqueeze(-1)
        elif output.ndim + 1 == target.ndim and target.shape[-1] == 1:
            target = target.squeeze(-1)
        if target.shape[1:] != output.shape[1:]:
            raise SpecError([_mismatch(plan, output, str(route), target)])
        columns.fit_targets(slot, target.to(output.dtype))


def _check_classes(plan: LossPlan, values: Sequence[Any], forward: Forward, columns: Columns) -> None:
    """For a loss over classes: whole-number labels from 0 to one below the number of outputs."""
    if plan.decision != "argmax" or len(plan.routes) < 2 or plan.routes[1].source == "node":
        return
    output = values[forward.slot(route_slot(plan.routes[0]))]
    target = columns.column(route_slot(plan.routes[1]))
    if target.ndim == output.ndim and target.is_floating_point():
        return  # probabilities of classes
    if target.is_floating_point():
        message = f"`{plan.name}` needs whole numbers as classes, and {plan.routes[1]} holds decimals"
        raise SpecError([_found(plan, "wrong-classes", message, help="say `dtype: int64` at the target's key")])
    n_classes = output.shape[1] if output.ndim > 1 else 1
    counted = target[target != int(plan.call.arguments.get("ignore_index", -100))]
    low, high = (int(counted.min()), int(counted.max())) if len(counted) else (0, 0)
    if low < 0 or high >= n_classes:
        message = f"`{plan.node}` gives {n_classes} classes, and {plan.routes[1]} holds labels from {low} to {high}"
        raise SpecError(
            [_found(plan, "wrong-classes", message, help=f"labels count from 0; {high + 1} outputs would fit")]
        )


def _try(plan: LossPlan, loss: BoundLoss, values: Sequence[Any]) -> Tensor:
    try:
        return loss(values)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        given = ", ".join(
            f"{route} {_shape(values[index])}" for route, index in zip(plan.routes, loss.positional, strict=False)
        )
        message = f"the loss `{plan.name}` cannot be computed: {str(error).splitlines()[0]}"
        raise SpecError([_found(plan, "shape-mismatch", message, label=f"is given {given}")]) from error


def _mismatch(plan: LossPlan, output: Tensor, route: str, target: Tensor) -> Diagnostic:
    message = f"`{plan.node}` gives {_shape(output)}, and `{plan.name}` compares it with {route} {_shape(target)}"
    return _found(plan, "shape-mismatch", message)


def _found(plan: LossPlan, code: str, message: str, *, label: str = "", help: str = "") -> Diagnostic:
    return Diagnostic(code, message, plan.origin.span, label=label, help=help, path=plan.origin.path)


def _shape(value: Tensor) -> str:
    return f"({', '.join(['rows', *(str(size) for size in value.shape[1:])])})" if value.ndim else "()"
