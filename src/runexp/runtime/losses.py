"""Losses bound to the slots they read, checked once against the first rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.graph import LossPlan, Route
from runexp.plan.values import Call
from runexp.runtime.blocks import with_blocks
from runexp.runtime.broadcasting import BroadcastWatch
from runexp.runtime.data.problems import collecting, first_line, stop_at
from runexp.runtime.graph.forward import Forward, Slot
from runexp.runtime.lanes.table import PhaseTable
from runexp.runtime.own_code import guarded, misfit
from runexp.runtime.resolve import REFUSALS, make, resolve
from runexp.runtime.targets import found, slots_of


@dataclass(frozen=True, slots=True)
class BoundLoss:
    """A loss that reads its inputs from the slots of a forward pass and gives a scalar."""

    name: str
    weight: float
    function: Callable[..., Tensor]
    positional: tuple[int, ...]
    keyword: tuple[tuple[str, int], ...]

    @property
    def reads(self) -> tuple[int, ...]:
        """The slots it is given."""
        return (*self.positional, *(slot for _, slot in self.keyword))

    def __call__(self, values: Sequence[Any]) -> Tensor:
        """The loss of one batch."""
        given = [values[index] for index in self.positional]
        if self.keyword:
            return self.function(*given, **{name: values[index] for name, index in self.keyword})
        return self.function(*given)


def bind_losses(
    plans: Sequence[LossPlan], forward: Forward, columns: PhaseTable, device: torch.device
) -> tuple[BoundLoss, ...]:
    """Bind every loss and let batches carry what it reads; all that cannot fit is a `SpecError`."""
    forward.add_columns(
        [forward.read_by(plan.node, route) for plan in plans for route in plan.routes if route.source == "node"]
    )
    values = first_rows(forward, columns)
    wrong: list[Diagnostic] = []
    read: list[tuple[LossPlan, tuple[Slot, ...]]] = []
    for plan in plans:
        with collecting(wrong):
            read.append((plan, slots_of(plan, lambda slot: values[forward.slot(slot)], columns)))
    forward.add_columns([slot for _, slots in read for slot in slots])
    bound: list[BoundLoss] = []
    values = first_rows(forward, columns)
    for plan, slots in read:
        with collecting(wrong):
            bound.append(_bind(plan, slots, forward, columns, device))
            _try(plan, bound[-1], _on_one_device(values), columns)
    stop_at(wrong)
    return tuple(bound)


def first_rows(forward: Forward, columns: PhaseTable) -> list[Any]:
    """All slots of a forward pass over the first two rows."""
    with torch.no_grad():
        return forward([columns.drawn(slot).first(2) for slot in forward.columns])


def weighted_total(losses: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The sum of losses, each times its weight."""
    total = losses[0] * weights[0]
    for loss, weight in zip(losses[1:], weights[1:], strict=True):
        total = total + loss * weight
    return total


def _bind(
    plan: LossPlan, slots: Sequence[Slot], forward: Forward, columns: PhaseTable, device: torch.device
) -> BoundLoss:
    function = _own(plan.call, device) if plan.call.code else _function(plan.call, device)
    if any(route.source == "pairs" for route in plan.routes):
        function = with_blocks(function, plan.routes, columns)
    read = [(route.argument, forward.slot(slot)) for route, slot in zip(plan.routes, slots, strict=True)]
    positional = tuple(slot for argument, slot in read if not argument)
    keyword = tuple((argument, slot) for argument, slot in read if argument)
    return BoundLoss(plan.name, plan.weight, function, positional, keyword)


def _shape(route: Route, value: Tensor, columns: PhaseTable) -> str:
    """The shape of an input: a matrix gives a block between the rows of the batch."""
    shape = columns.shape(value)
    return shape if route.source != "pairs" else f"({shape[1:-2]}, {shape[1:-2]})"


def _function(call: Call, device: torch.device) -> Callable[..., Tensor]:
    target = resolve(call)
    is_class = isinstance(target, type)
    function: Callable[..., Tensor] = make(call).to(device) if is_class and issubclass(target, nn.Module) else target
    return function


def _own(call: Call, device: torch.device) -> Callable[..., Tensor]:
    """A class, a factory or a function of the user's, ready to be called (S-15)."""
    made = make(call)
    if not callable(made):
        raise misfit(call, f"makes a `{type(made).__name__}`, and a loss is called with outputs and targets")
    return guarded(call, made.to(device) if isinstance(made, nn.Module) else made)


def _on_one_device(values: Sequence[Any]) -> list[Any]:
    """Columns follow the outputs of a graph without weights. What a node with several outputs gives stays as it is."""
    if not any(isinstance(value, Tensor) and value.is_meta for value in values):
        return list(values)
    return [value.to("meta") if isinstance(value, Tensor) else value for value in values]


def _try(plan: LossPlan, loss: BoundLoss, values: Sequence[Any], columns: PhaseTable) -> None:
    watch = BroadcastWatch()
    try:
        with watch if plan.call.code else nullcontext():
            value = loss(values)
    except REFUSALS as error:
        routes = sorted(plan.routes, key=lambda route: bool(route.argument))
        given = ", ".join(
            f"{columns.called(route)} {_shape(route, values[slot], columns)}"
            for route, slot in zip(routes, loss.reads, strict=True)
        )
        message = f"the loss `{plan.name}` cannot be computed: {first_line(error)}"
        hint = "`bce_with_logits` takes what a linear layer gives" if "between 0 and 1" in message else ""
        raise SpecError([found(plan, "shape-mismatch", message, label=f"is given {given}", help=hint)]) from error
    if watch.operation:
        message = f"the loss `{plan.name}` compares every row with every other: `{watch.operation}` of (N, 1) and (N,)"
        raise SpecError([found(plan, "shape-mismatch", message, help="`outputs.squeeze(1)`, or `targets[:, None]`")])
    if not isinstance(value, Tensor):
        raise misfit(plan.call, f"gives a `{type(value).__name__}`, and a loss is a tensor of one number")
    if value.ndim:
        message = f"the loss `{plan.name}` gives {columns.shape(value)}, not one number"
        raise SpecError([found(plan, "unreduced-loss", message, help="leave out `reduction: none`")])
