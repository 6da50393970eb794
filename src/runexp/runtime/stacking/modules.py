"""Modules on stacked weights: each fold's rows meet its own weights. The first axis is that of the folds.

What is common is written out as batched products and functions; everything else goes through `torch.func.vmap`, which
takes several times as long for a small module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from runexp.runtime.modules.perceptron import MLP

Values = Mapping[str, Tensor]
"""Weights and buffers (F, *shape) by `<node>.<name>`."""

StackedCall = Callable[..., Any]
"""Takes `Values`, then inputs (F, N, …) by position or keyword; gives (F, N, …)."""

_ELEMENTWISE = frozenset(
    {
        nn.CELU, nn.ELU, nn.GELU, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.Identity, nn.LeakyReLU, nn.LogSigmoid,
        nn.Mish, nn.ReLU, nn.ReLU6, nn.SELU, nn.SiLU, nn.Sigmoid, nn.Softplus, nn.Softsign, nn.Tanh,
    }
)  # fmt: skip


def stacked(module: nn.Module, prefix: str) -> StackedCall:
    """What computes a module on stacked weights, which are found under `<prefix>.<name>`."""
    if type(module) in _ELEMENTWISE:
        return lambda values, inputs: module(inputs)
    rule = _RULES.get(type(module))
    return (rule(module, prefix) if rule else None) or _by_vmap(module, prefix)


def _by_vmap(module: nn.Module, prefix: str) -> StackedCall:
    names = [name for name, _ in (*module.named_parameters(), *module.named_buffers())]

    def one(own: Values, inputs: tuple[Tensor, ...], named: dict[str, Tensor]) -> Any:  # noqa: ANN401 - any module
        return functional_call(module, dict(own), inputs, named)

    together = vmap(one)

    def call(values: Values, *inputs: Tensor, **named: Tensor) -> Any:  # noqa: ANN401 - any module
        own = {name: values[f"{prefix}.{name}"] for name in names}
        with sdpa_kernel(SDPBackend.MATH):  # attention as products and a softmax: its kernels take one fold at a time
            return together(own, inputs, named)

    return call


def _sequential(module: Any, prefix: str) -> StackedCall:  # noqa: ANN401 - a Sequential
    calls = [stacked(child, f"{prefix}.{name}") for name, child in module.named_children()]

    def call(values: Values, inputs: Tensor) -> Tensor:
        for each in calls:
            inputs = each(values, inputs)
        return inputs

    return call


def _mlp(module: Any, prefix: str) -> StackedCall:  # noqa: ANN401 - an MLP
    return _sequential(module.layers, f"{prefix}.layers")


def _linear(module: Any, prefix: str) -> StackedCall:  # noqa: ANN401 - a Linear
    weight, bias = f"{prefix}.weight", f"{prefix}.bias"
    has_bias = module.bias is not None

    def call(values: Values, inputs: Tensor) -> Tensor:
        rows = inputs if inputs.ndim == 3 else inputs.reshape(len(inputs), -1, inputs.shape[-1])
        turned = values[weight].transpose(1, 2)
        given = torch.baddbmm(values[bias].unsqueeze(1), rows, turned) if has_bias else torch.bmm(rows, turned)
        return given if inputs.ndim == 3 else given.reshape(*inputs.shape[:-1], -1)

    return call


def _flatten(module: Any, prefix: str) -> StackedCall | None:  # noqa: ANN401 - a Flatten
    if module.start_dim < 1:
        return None
    end = module.end_dim if module.end_dim < 0 else module.end_dim + 1
    return lambda values, inputs: inputs.flatten(module.start_dim + 1, end)


def _layer_norm(module: Any, prefix: str) -> StackedCall:  # noqa: ANN401 - a LayerNorm
    weight, bias = f"{prefix}.weight", f"{prefix}.bias"
    shape, has_weight, has_bias = module.normalized_shape, module.weight is not None, module.bias is not None

    def beside(value: Tensor, inputs: Tensor) -> Tensor:
        return value.reshape(len(value), *[1] * (inputs.ndim - 1 - len(shape)), *shape)

    def call(values: Values, inputs: Tensor) -> Tensor:
        normed = functional.layer_norm(inputs, shape, None, None, module.eps)
        if has_weight:
            normed = normed * beside(values[weight], inputs)
        if has_bias:
            normed = normed + beside(values[bias], inputs)
        return normed

    return call


def _batch_norm(module: Any, prefix: str) -> StackedCall | None:  # noqa: ANN401 - a BatchNorm1d
    """Channels of all folds side by side: statistics are by channel, so no fold sees another's."""
    if module.momentum is None or not module.affine or not module.track_running_stats:
        return None
    general = _by_vmap(module, prefix)

    def call(values: Values, inputs: Tensor) -> Tensor:
        if inputs.ndim != 3:
            result: Tensor = general(values, inputs)
            return result
        held = {name: values[f"{prefix}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")}
        mean, variance, weight, bias = (value.flatten() for value in held.values())
        if module.training:
            values[f"{prefix}.num_batches_tracked"].add_(1)
        side_by_side = inputs.transpose(0, 1).flatten(1)
        normed = functional.batch_norm(
            side_by_side, mean, variance, weight, bias, module.training, module.momentum, module.eps
        )
        own: Tensor = normed.reshape(len(side_by_side), len(inputs), -1).transpose(0, 1)
        return own

    return call


def _dropout(module: Any, prefix: str) -> StackedCall:  # noqa: ANN401 - a Dropout
    def call(values: Values, inputs: Tensor) -> Tensor:
        if module.training and module.p:
            raise RuntimeError(f"`{type(module).__name__}` draws random numbers")
        return inputs

    return call


_RULES: Mapping[type[nn.Module], Callable[[Any, str], StackedCall | None]] = {
    MLP: _mlp,
    nn.AlphaDropout: _dropout,
    nn.BatchNorm1d: _batch_norm,
    nn.Dropout: _dropout,
    nn.Dropout1d: _dropout,
    nn.Dropout2d: _dropout,
    nn.Flatten: _flatten,
    nn.LayerNorm: _layer_norm,
    nn.Linear: _linear,
    nn.Sequential: _sequential,
}
