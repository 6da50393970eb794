"""Optimizers with groups by node, and the learning rate over a phase."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.phases import OptimizerPlan, SchedulePlan
from runexp.plan.values import thaw
from runexp.runtime.fused import spare_dynamo
from runexp.runtime.graph.graph import Graph
from runexp.runtime.own_code import running
from runexp.runtime.resolve import keyword_arguments, resolve

Ratio = Callable[[int], float]


def build_optimizer(plan: OptimizerPlan, graph: Graph, trains: Sequence[str]) -> torch.optim.Optimizer:
    """The optimizer over the parameters of `trains`: a group for each node with its own options, one for the rest."""
    spare_dynamo()
    groups: list[dict[str, Any]] = []
    rest = [name for name in trains if name not in plan.groups]
    for names, options in [(rest, {}), *(([name], thaw(plan.groups[name])) for name in plan.groups)]:
        parameters = list(_parameters(graph, names))
        if parameters:
            groups.append({"params": parameters, **options})
    make: Any = resolve(plan.call)
    if inspect.signature(make.step).parameters["closure"].default is inspect.Parameter.empty:
        hint = "an optimizer that takes one step a batch, such as `adam` or `sgd`"
        raise SpecError([_found(plan, f"`{plan.call.name}` evaluates a batch several times a step", hint)])
    arguments = keyword_arguments(plan.call, make)
    try:
        with running(plan.call):
            optimizer: torch.optim.Optimizer = make(groups, **_fused(make, groups, arguments), **arguments)
    except (ValueError, TypeError) as error:
        raise SpecError([_found(plan, f"the optimizer refuses its options: {error}")]) from error
    return optimizer


def learning_rate_ratio(plan: SchedulePlan, n_steps: int, n_steps_an_epoch: int) -> Ratio:
    """The ratio to the optimizer's own rate at each update, from 0.

    Warm-up is linear, reaching 1 at its last update; the curve then runs over the updates that are left, to
    reach its end one update after the last.
    """
    warmup = plan.warmup_steps or round(plan.warmup_epochs * n_steps_an_epoch)
    left = max(1, n_steps - warmup)
    curve = _CURVES[plan.curve](plan, n_steps_an_epoch)

    def ratio(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return curve(step - warmup, min(1.0, (step - warmup) / left))

    return ratio


def set_learning_rate(optimizer: torch.optim.Optimizer, bases: Iterable[float], ratio: float) -> None:
    """Set every group's rate to its own base times `ratio`."""
    for group, base in zip(optimizer.param_groups, bases, strict=True):
        group["lr"] = base * ratio


def _found(plan: OptimizerPlan, message: str, hint: str = "") -> Diagnostic:
    return Diagnostic("wrong-value", message, plan.origin.span, help=hint, path=plan.origin.path)


def _parameters(graph: Graph, names: Iterable[str]) -> Iterable[nn.Parameter]:
    return (parameter for name in names for parameter in graph.modules[name].parameters())


def _fused(make: Any, groups: Sequence[dict[str, Any]], arguments: dict[str, Any]) -> dict[str, bool]:  # noqa: ANN401 - any optimizer class
    """Ask for the fused kernel where the optimizer has one for these parameters and nothing else was asked for."""
    taken = inspect.signature(make).parameters
    asked = {"fused", "foreach", "capturable", "differentiable"} & arguments.keys()
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    is_float = all(parameter.is_floating_point() for group in groups for parameter in group["params"])
    return {"fused": True} if "fused" in taken and not asked and is_float and devices <= {"cpu", "cuda"} else {}


def _constant(plan: SchedulePlan, n_steps_an_epoch: int) -> Callable[[int, float], float]:
    return lambda step, progress: 1.0


def _linear(plan: SchedulePlan, n_steps_an_epoch: int) -> Callable[[int, float], float]:
    return lambda step, progress: 1 - (1 - plan.min_ratio) * progress


def _cosine(plan: SchedulePlan, n_steps_an_epoch: int) -> Callable[[int, float], float]:
    low = plan.min_ratio
    return lambda step, progress: low + (1 - low) * 0.5 * (1 + math.cos(math.pi * progress))


def _one_cycle(plan: SchedulePlan, n_steps_an_epoch: int) -> Callable[[int, float], float]:
    """Up from 1/25 by a half cosine, then down by another (Smith and Topin, 2018, as in torch's OneCycleLR)."""
    peak = plan.peak_at

    def curve(step: int, progress: float) -> float:
        start, end, along = (
            (0.04, 1.0, progress / peak) if progress < peak else (1.0, plan.min_ratio, _after(progress, peak))
        )
        return end + (start - end) * 0.5 * (1 + math.cos(math.pi * along))

    return curve


def _after(progress: float, peak: float) -> float:
    return (progress - peak) / (1 - peak) if peak < 1 else 1.0


def _step(plan: SchedulePlan, n_steps_an_epoch: int) -> Callable[[int, float], float]:
    period = plan.step_epochs * n_steps_an_epoch
    return lambda step, progress: float(plan.gamma ** (step // period))


_CURVES: dict[str, Callable[[SchedulePlan, int], Callable[[int, float], float]]] = {
    "constant": _constant,
    "linear": _linear,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
    "step": _step,
    "exponential": _step,
}
