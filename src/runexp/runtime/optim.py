"""Optimizers, with groups of parameters by node, by pattern, and by whether they decay."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from runexp.diagnostics import Diagnostic, SpecError, did_you_mean
from runexp.plan.phases import OptimizerPlan
from runexp.plan.values import thaw
from runexp.runtime.fused import spare_dynamo
from runexp.runtime.own_code import running
from runexp.runtime.resolve import keyword_arguments, resolve


def build_optimizer(plan: OptimizerPlan, parameters: Mapping[str, nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer over `parameters`, by `<node>.<parameter>`: those that no group names come first.

    Raises `SpecError` for options it refuses and for groups that match no parameter.
    """
    spare_dynamo()
    make: Any = resolve(plan.call)
    if inspect.signature(make.step).parameters["closure"].default is inspect.Parameter.empty:
        hint = "an optimizer that takes one step a batch, such as `adam` or `sgd`"
        raise SpecError([_found(plan, f"`{plan.call.name}` evaluates a batch several times a step", hint)])
    groups = _grouped(plan, parameters)
    if not any(group["params"] for group in groups):
        raise SpecError([_found(plan, "no parameter is left to train: what it moves is frozen or has none")])
    arguments = keyword_arguments(plan.call, make)
    try:
        with running(plan.call):
            optimizer: torch.optim.Optimizer = make(groups, **_fused(make, groups, arguments), **arguments)
    except (ValueError, TypeError) as error:
        raise SpecError([_found(plan, f"the optimizer refuses its options: {error}")]) from error
    return optimizer


def matches(pattern: str, name: str) -> bool:
    """Whether a node's name or a pattern takes in the parameter `<node>.<parameter>`."""
    return fnmatchcase(name, pattern) or fnmatchcase(name.partition(".")[0], pattern)


def unmatched(patterns: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The patterns that take in none of these parameters."""
    return tuple(pattern for pattern in patterns if not any(matches(pattern, name) for name in names))


def _grouped(plan: OptimizerPlan, parameters: Mapping[str, nn.Parameter]) -> list[dict[str, Any]]:
    """Parameters that take the same options make one group."""
    lost = unmatched(tuple(plan.groups), tuple(parameters))
    if lost:
        hint = did_you_mean(lost[0], tuple(parameters), kind="parameters that train")
        raise SpecError([_found(plan, f"the group `{lost[0]}` names no parameter that trains", hint)])
    written = list(plan.groups)
    members: dict[tuple[bool, tuple[int, ...]], list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        taken = tuple(index for index, pattern in enumerate(written) if matches(pattern, name))
        spared = plan.decays == "matrices" and parameter.ndim < 2
        members.setdefault((spared, taken), []).append(parameter)
    groups = []
    for (spared, taken), some in sorted(members.items(), key=lambda item: (item[0][1], item[0][0])):
        options: dict[str, Any] = {"weight_decay": 0.0} if spared else {}
        for index in taken:
            options |= thaw(plan.groups[written[index]])
        groups.append({"params": some, **options})
    return groups


def _found(plan: OptimizerPlan, message: str, hint: str = "") -> Diagnostic:
    return Diagnostic("wrong-value", message, plan.origin.span, help=hint, path=plan.origin.path)


def _fused(make: Any, groups: Sequence[dict[str, Any]], arguments: dict[str, Any]) -> dict[str, bool]:  # noqa: ANN401 - any optimizer class
    """Ask for the fused kernel where the optimizer has one for these parameters and nothing else was asked for."""
    taken = inspect.signature(make).parameters
    asked = {"fused", "foreach", "capturable", "differentiable"} & arguments.keys()
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    is_float = all(parameter.is_floating_point() for group in groups for parameter in group["params"])
    return {"fused": True} if "fused" in taken and not asked and is_float and devices <= {"cpu", "cuda"} else {}
