"""Updates of stacked weights whose folds or trials have numbers of their own: rates, decays, betas, momentum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

Options = Mapping[str, Any]
Share = float | Tensor
"""One number for all, or one each: (F,)."""

_NUMBERS = frozenset({"betas", "dampening", "eps", "lr", "momentum", "weight_decay"})
_SPECIAL = ("amsgrad", "capturable", "differentiable", "maximize")


def can_vary(kind: type[Optimizer], options: Sequence[Sequence[Options]]) -> bool:
    """Whether optimizers of this kind with these options, by fold and group, can take one update together.

    They are the same but for numbers, and what is left out by one is left out by all.
    """
    if kind not in _UPDATES:
        return False
    first, *others = [[_words(group) for group in groups] for groups in options]
    is_special = any(group.get(name) for groups in options for group in groups for name in _SPECIAL)
    are_plain = all(isinstance(group["lr"], float) for groups in options for group in groups)
    return are_plain and not is_special and all(words == first for words in others)


def update_varied(joint: Optimizer, options: Sequence[Sequence[Options]]) -> None:
    """Move the stacked weights of `joint` by their gradients, each fold's part by its own options (by fold, group)."""
    update = _UPDATES[type(joint)]
    with torch.no_grad():
        for group, own in zip(joint.param_groups, zip(*options, strict=True), strict=True):
            for weights in group["params"]:
                if weights.grad is not None:
                    update(weights, weights.grad, joint.state[weights], own)


def _words(group: Options) -> dict[str, Any]:
    """What of the options is no number, and whether there is a momentum."""
    words = {key: value for key, value in group.items() if key not in _NUMBERS}
    return words | {"has_momentum": bool(group.get("momentum"))}


def _adam(weights: Tensor, gradient: Tensor, state: dict[str, Any], own: Sequence[Options]) -> None:
    if not state:
        state["step"] = torch.zeros((), dtype=torch.float32)
        state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weights), torch.zeros_like(weights)
    state["step"] += 1
    step = float(state["step"])

    def each(number: Callable[[Options], float]) -> Share:
        return _beside(weights, [number(options) for options in own])

    mean, square = state["exp_avg"], state["exp_avg_sq"]
    if any(options["weight_decay"] for options in own):
        if own[0].get("decoupled_weight_decay"):
            weights.mul_(each(lambda options: 1 - options["lr"] * options["weight_decay"]))
        else:
            gradient = gradient + weights * each(lambda options: options["weight_decay"])
    mean.lerp_(gradient, each(lambda options: 1 - options["betas"][0]))
    square.lerp_(gradient * gradient, each(lambda options: 1 - options["betas"][1]))
    root = square.sqrt().div_(each(lambda options: sqrt(1 - options["betas"][1] ** step)))
    root.add_(each(lambda options: options["eps"]))
    weights.sub_(torch.div(mean, root).mul_(each(lambda options: options["lr"] / (1 - options["betas"][0] ** step))))


def _sgd(weights: Tensor, gradient: Tensor, state: dict[str, Any], own: Sequence[Options]) -> None:
    def each(name: str) -> Share:
        return _beside(weights, [options[name] for options in own])

    if any(options["weight_decay"] for options in own):
        gradient = gradient + weights * each("weight_decay")
    if own[0]["momentum"]:
        known = state.get("momentum_buffer")
        if known is None:
            known = state["momentum_buffer"] = gradient.clone()
        else:
            kept = _beside(weights, [1 - options["dampening"] for options in own])
            known.mul_(each("momentum")).add_(gradient * kept)
        gradient = gradient + known * each("momentum") if own[0]["nesterov"] else known
    weights.sub_(gradient * each("lr"))


def _beside(weights: Tensor, numbers: Sequence[float]) -> Share:
    """A number a fold, to be multiplied with stacked weights (F, *shape)."""
    if all(number == numbers[0] for number in numbers):
        return numbers[0]
    shape = (-1, *[1] * (weights.ndim - 1))
    return torch.tensor(numbers, dtype=weights.dtype, device=weights.device).reshape(shape)


_UPDATES: Mapping[type[Optimizer], Callable[[Tensor, Tensor, dict[str, Any], Sequence[Options]], None]] = {
    Adam: _adam,
    AdamW: _adam,
    SGD: _sgd,
}
