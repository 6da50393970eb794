"""What a loss compares outputs with: columns made to fit it, and refused where nothing could fit."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.graph import LossPlan, Route
from runexp.runtime.graph.forward import Slot, route_slot
from runexp.runtime.lanes.column import Column
from runexp.runtime.lanes.table import PhaseTable

Output = Callable[[Slot], Tensor]
"""Gives a node's output for the first rows."""


def slots_of(plan: LossPlan, output: Output, columns: PhaseTable) -> tuple[Slot, ...]:
    """The slot of every route of a loss. Targets that do not fit it as they are get a slot of their own, so that
    other readers of the column see it unchanged; what cannot fit is a `SpecError`."""
    outputs = [output(_read(plan, route, columns)) for route in plan.routes if route.source == "node"]
    if not outputs:
        return tuple(_read(plan, route, columns) for route in plan.routes)
    return tuple(_slot(plan, route, outputs[0], columns) for route in plan.routes)


def _slot(plan: LossPlan, route: Route, output: Tensor, columns: PhaseTable) -> Slot:
    slot = _read(plan, route, columns)
    if route.source != "data":
        return slot
    target = columns.drawn(slot)
    if plan.elementwise:
        fitted = _aligned(plan, route, output, columns)
    elif plan.decision == "argmax" and _is_target(plan, route):
        fitted = _classes(plan, route, output, columns)
    elif plan.decision == "each_step" and _is_target(plan, route):
        _check_steps(plan, route, output, target, columns)
        return slot
    else:
        return slot
    if fitted is target:
        return slot
    own = ("fitted", str(route), f"{fitted.dtype} {fitted.row_shape}", *slot[3:])
    columns.put(own, fitted)
    return own


def _read(plan: LossPlan, route: Route, columns: PhaseTable) -> Slot:
    return route_slot(plan.node, route, columns.wiring)


def _aligned(plan: LossPlan, route: Route, output: Tensor, columns: PhaseTable) -> Column:
    """For a loss that compares element by element: (N,) against (N, 1) is aligned, integers become floats."""
    column = columns.drawn(_read(plan, route, columns))
    target = column.first(len(output))
    if target.ndim + 1 == output.ndim and output.shape[-1] == 1:
        column = column.changed(lambda batch: batch.unsqueeze(-1))
    elif output.ndim + 1 == target.ndim and target.shape[-1] == 1:
        column = column.changed(lambda batch: batch.squeeze(-1))
    target = column.first(len(output))
    if target.shape[1:] != output.shape[1:]:
        compared = f"{columns.called(route)} {columns.shape(target)}"
        message = f"`{plan.node}` gives {columns.shape(output)}, `{plan.name}` compares it with {compared}"
        raise SpecError([found(plan, "shape-mismatch", message, help=_remedy(output, target))])
    _check_values(plan, route, column, columns)
    dtype = output.dtype
    return column if target.dtype == dtype else column.changed(lambda batch: batch.to(dtype))


def _check_values(plan: LossPlan, route: Route, target: Column, columns: PhaseTable) -> None:
    """Chances lie between 0 and 1, and words are no numbers to be near to."""
    name = columns.called(route)
    if plan.decision in ("logit", "probability"):
        low, high = _extent(target)
        if low < 0 or high > 1:
            message = f"`{plan.name}` compares with chances from 0 to 1, and {name} holds {low:g} to {high:g}"
            hint = "`cross_entropy` takes integer classes"
            raise SpecError([found(plan, "wrong-classes", message, help=hint)])
    elif columns.holds_words(route):
        message = f"`{plan.name}` measures distances between numbers, and {name} holds words"
        raise SpecError([found(plan, "wrong-classes", message, help="`cross_entropy` takes classes")])


def _remedy(output: Tensor, target: Tensor) -> str:
    """What would make an output and a target of other shapes fit."""
    if target.ndim == 1 and not target.is_floating_point() and output.ndim == 2:
        return "`cross_entropy` for integer classes? `Linear: {out_features: 1}` for one number a row?"
    if target.ndim == 1 and output.ndim == 2:
        return "`Linear: {out_features: 1}` gives one number a row"
    if target.ndim == output.ndim == 2:
        return f"`Linear: {{out_features: {target.shape[1]}}}` gives as many numbers a row"
    return "reshape the key with `shape:`, or the output with `torch.nn.Flatten` or `torch.nn.Unflatten`"


def _is_target(plan: LossPlan, route: Route) -> bool:
    """Whether a column holds what is compared with; weights of rows and the like go by other keywords."""
    if route.argument:
        return route.argument == "target"
    return route is next(item for item in plan.routes if item.source == "data")


def _classes(plan: LossPlan, route: Route, output: Tensor, columns: PhaseTable) -> Column:
    """For a loss over classes: whole-number labels from 0 to one below the number of outputs."""
    target, name = columns.drawn(_read(plan, route, columns)), columns.called(route)
    is_decimal = target.dtype.is_floating_point
    if len(target.row_shape) + 1 == output.ndim and is_decimal:
        return target  # probabilities of classes
    if is_decimal:
        message = f"`{plan.name}` needs whole numbers as classes, and {name} holds decimals"
        raise SpecError([found(plan, "wrong-classes", message, help="say `dtype: int64` at the target's key")])
    n_classes = output.shape[1] if output.ndim > 1 else 1
    low, high = map(int, _extent(target, int(plan.call.arguments.get("ignore_index", -100))))
    if low < 0 or high >= n_classes:
        message = f"`{plan.node}` gives {n_classes} classes, and {name} holds labels from {low} to {high}"
        hint = _fitting(target, output, low, high)
        raise SpecError([found(plan, "wrong-classes", message, help=hint)])
    return target if target.dtype == torch.int64 else target.changed(lambda batch: batch.to(torch.int64))


def _fitting(target: Column, output: Tensor, low: int, high: int) -> str:
    """What would make labels and outputs fit each other."""
    if low != 0:
        return "labels count from 0: `{columns: …, categorical: ordinal}` at the target's key codes what is there so"
    if target.row_shape and output.ndim == len(target.row_shape) + 2 and high < output.shape[-1]:
        return "`causal_lm` takes logits (batch, time, classes)"
    return f"labels count from 0; {high + 1} outputs would fit"


def _check_steps(plan: LossPlan, route: Route, output: Tensor, target: Column, columns: PhaseTable) -> None:
    """For a loss over the steps of a sequence: logits (N, …, V) want codes (N, …) below V."""
    name = columns.called(route)
    if tuple(output.shape[1:-1]) != target.row_shape:
        message = f"`{plan.node}` gives {columns.shape(output)}, and {name} is {columns.shape(target.first(1))}"
        hint = "it takes logits (batch, time, vocabulary) and codes (batch, time)"
        raise SpecError([found(plan, "shape-mismatch", message, help=hint)])
    if target.dtype != torch.int64:
        message = f"`{plan.name}` needs codes of tokens, and {name} is {str(target.dtype).removeprefix('torch.')}"
        raise SpecError([found(plan, "wrong-classes", message, help="say `dtype: int64` at the target's key")])
    low, high = map(int, _extent(target))
    if low < 0 or high >= output.shape[-1]:
        message = f"`{plan.node}` gives {output.shape[-1]} logits a step, and {name} holds codes from {low} to {high}"
        hint = f'`out_features: "${{classes:{route}}}"` gives one for each'
        raise SpecError([found(plan, "wrong-classes", message, help=hint)])


def _extent(column: Column, ignored: int | None = None) -> tuple[float, float]:
    """The smallest and the largest value, those left out that are ignored; 0 and 0 where there is none."""
    low, high = [], []
    for part in column.parts():
        counted = part if ignored is None else part[part != ignored]
        if counted.numel():
            low.append(counted.min().item())
            high.append(counted.max().item())
    return (min(low), max(high)) if low else (0.0, 0.0)


def found(plan: LossPlan, code: str, message: str, *, label: str = "", help: str = "") -> Diagnostic:
    """A diagnostic at the place where the loss was written."""
    return Diagnostic(code, message, plan.origin.span, label=label, help=help, path=plan.origin.path)
