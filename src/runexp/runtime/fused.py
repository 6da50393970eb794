"""The updates of Adam, AdamW and SGD by torch's fused kernels, called directly.

Same kernels, same state, same numbers as `optimizer.step()`; left out is what that does around them in Python at every
step, which on small models costs more than the update, and the import of torch._dynamo (2 s) at the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

Group = dict[str, Any]
Kernel = Callable[[Optimizer, Group, list[Tensor], list[Tensor]], None]


def update_of(optimizer: Optimizer) -> Callable[[], object]:
    """The fastest way to take a step with this optimizer: its kernel itself, or else its own `step`."""
    kernel = _KERNELS.get(type(optimizer))
    if kernel is None or not all(_fits(group) for group in optimizer.param_groups):
        return optimizer.step

    def update() -> None:
        with torch.no_grad():
            for group in optimizer.param_groups:
                parameters: list[Tensor] = group["params"]
                gradients = [gradient for parameter in parameters if (gradient := parameter.grad) is not None]
                if len(gradients) < len(parameters):  # a branch that did not run in this step
                    parameters = [parameter for parameter in parameters if parameter.grad is not None]
                if gradients:
                    kernel(optimizer, group, parameters, gradients)

    return update


def spare_dynamo() -> None:
    """Let torch.optim manage parameter groups without importing torch._dynamo, which only torch.compile needs.

    torch wraps these methods so that their first call imports it in order to switch it off for them; here they
    are marked as switched off already.
    """
    for name in ("add_param_group", "state_dict", "load_state_dict"):
        inner = getattr(getattr(Optimizer, name, None), "__wrapped__", None)
        if inner is not None and not hasattr(inner, "__dynamo_disable"):
            inner.__dynamo_disable = inner  # noqa: SLF001 - the mark that torch's wrapper looks for


def _fits(group: Group) -> bool:
    """Whether the kernel alone does all that this group asks for."""
    parameters: Sequence[Tensor] = group["params"]
    kinds = {(parameter.device, parameter.dtype) for parameter in parameters}
    special = any(group.get(name) for name in ("amsgrad", "capturable", "differentiable"))
    return bool(group.get("fused")) and not special and len(kinds) == 1 and isinstance(group["lr"], float)


def _adam(optimizer: Optimizer, group: Group, parameters: list[Tensor], gradients: list[Tensor]) -> None:
    states = [optimizer.state[parameter] or _adam_state(optimizer, parameter) for parameter in parameters]
    steps = [state["step"] for state in states]
    torch._foreach_add_(steps, 1)
    kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
    beta1, beta2 = group["betas"]
    kernel(
        parameters,
        gradients,
        [state["exp_avg"] for state in states],
        [state["exp_avg_sq"] for state in states],
        [],
        steps,
        lr=group["lr"],
        beta1=beta1,
        beta2=beta2,
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        amsgrad=False,
        maximize=group["maximize"],
    )


def _adam_state(optimizer: Optimizer, parameter: Tensor) -> dict[str, Tensor]:
    state: dict[str, Tensor] = optimizer.state[parameter]
    state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
    state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
    state["exp_avg_sq"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
    return state


def _sgd(optimizer: Optimizer, group: Group, parameters: list[Tensor], gradients: list[Tensor]) -> None:
    if not group["momentum"]:
        _sgd_kernel(group, parameters, gradients, [], is_first=False)
        return
    pairs = list(zip(parameters, gradients, strict=True))
    fresh = [pair for pair in pairs if "momentum_buffer" not in optimizer.state[pair[0]]]
    known = [pair for pair in pairs if "momentum_buffer" in optimizer.state[pair[0]]] if fresh else pairs
    for parameter, gradient in fresh:
        optimizer.state[parameter]["momentum_buffer"] = torch.empty_like(gradient)
    for chosen, is_first in ((fresh, True), (known, False)):
        if chosen:
            buffers = [optimizer.state[parameter]["momentum_buffer"] for parameter, _ in chosen]
            some, theirs = [parameter for parameter, _ in chosen], [gradient for _, gradient in chosen]
            _sgd_kernel(group, some, theirs, buffers, is_first=is_first)


def _sgd_kernel(
    group: Group, parameters: list[Tensor], gradients: list[Tensor], buffers: list[Tensor], *, is_first: bool
) -> None:
    torch._fused_sgd_(
        parameters,
        gradients,
        buffers,
        weight_decay=group["weight_decay"],
        momentum=group["momentum"],
        lr=group["lr"],
        dampening=group["dampening"],
        nesterov=group["nesterov"],
        maximize=group["maximize"],
        is_first_step=is_first,
    )


_KERNELS: dict[type[Optimizer], Kernel] = {Adam: _adam, AdamW: _adam, SGD: _sgd}
