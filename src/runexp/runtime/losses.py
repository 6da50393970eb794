"""Losses bound to the slots they read, checked once against the first rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from runexp.diagnostics import SpecError
from runexp.plan.graph import LossPlan
from runexp.runtime.columns import Columns, route_slot
from runexp.runtime.graph.forward import Forward, Slot
from runexp.runtime.resolve import make, resolve
from runexp.runtime.targets import found, shape, slots_of


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
    """Bind every loss and let batches carry what it reads; what cannot fit is a `SpecError`."""
    forward.add_columns([route_slot(route) for plan in plans for route in plan.routes if route.source == "node"])
    values = first_rows(forward, columns)
    read = [slots_of(plan, lambda slot: values[forward.slot(slot)], columns) for plan in plans]
    forward.add_columns([slot for slots in read for slot in slots])
    bound = tuple(_bind(plan, slots, forward, device) for plan, slots in zip(plans, read, strict=True))
    values = first_rows(forward, columns)
    for plan, loss in zip(plans, bound, strict=True):
        _try(plan, loss, values)
    return bound


def first_rows(forward: Forward, columns: Columns) -> list[Any]:
    """All slots of a forward pass over the first two rows."""
    with torch.no_grad():
        return forward([columns.column(slot)[:2] for slot in forward.columns])


def weighted_total(bound: Sequence[BoundLoss], losses: Sequence[Tensor]) -> Tensor:
    """The sum of losses, each times its weight."""
    total = losses[0] * bound[0].weight
    for loss, item in zip(losses[1:], bound[1:], strict=True):
        total = total + loss * item.weight
    return total


def _bind(plan: LossPlan, slots: Sequence[Slot], forward: Forward, device: torch.device) -> BoundLoss:
    target = resolve(plan.call)
    is_class = isinstance(target, type)
    function = make(plan.call).to(device) if is_class and issubclass(target, nn.Module) else target
    read = [(route.argument, forward.slot(slot)) for route, slot in zip(plan.routes, slots, strict=True)]
    positional = tuple(slot for argument, slot in read if not argument)
    keyword = tuple((argument, slot) for argument, slot in read if argument)
    return BoundLoss(plan.name, plan.weight, function, positional, keyword)


def _try(plan: LossPlan, loss: BoundLoss, values: Sequence[Any]) -> None:
    try:
        value = loss(values)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        slots = [*loss.positional, *(slot for _, slot in loss.keyword)]
        routes = sorted(plan.routes, key=lambda route: bool(route.argument))
        given = ", ".join(f"{route} {shape(values[slot])}" for route, slot in zip(routes, slots, strict=True))
        message = f"the loss `{plan.name}` cannot be computed: {str(error).splitlines()[0]}"
        raise SpecError([found(plan, "shape-mismatch", message, label=f"is given {given}")]) from error
    if value.ndim:
        message = f"the loss `{plan.name}` gives {shape(value)}, not one number"
        raise SpecError([found(plan, "unreduced-loss", message, help="leave out `reduction: none`")])
