"""The optimizers of several folds at work: one update for all where they are alike or differ in numbers, else each by
itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, optim

from runexp.runtime.fused import update_of
from runexp.runtime.stacking.held import Held
from runexp.runtime.stacking.varied import can_vary, update_varied
from runexp.runtime.training import TrainParts

_ELEMENTWISE = frozenset(
    {
        optim.ASGD, optim.Adadelta, optim.Adagrad, optim.Adam, optim.AdamW, optim.Adamax, optim.NAdam, optim.RAdam,
        optim.RMSprop, optim.Rprop, optim.SGD,
    }
)  # fmt: skip
"""Those that move every number of a parameter by its own gradient: on stacked weights they do what they do alone."""


class StackedMover:
    """Moves stacked weights. The state of each fold's own optimizer is behind while they move together; `write` brings
    it up to date."""

    def __init__(self, parts: Sequence[TrainParts], held: Held) -> None:
        self._parts = parts
        self._held = held
        self._names = {id(parameter): name for name, parameter in parts[0].trained.items()}
        self._clip = parts[0].mover.clip
        self._are_one = self._are_alike()
        self._is_together = type(parts[0].mover.optimizer) in _ELEMENTWISE and (self._are_one or self._can_vary())
        self._with_curves = [one for one in parts if one.weights.changing]
        self._follows_curve = any(one.mover.follows_curve for one in parts)
        self._fixed = [one.mover.rate for one in parts]
        self._joint = self._made() if self._is_together else None
        self._is_together = self._joint is not None
        self._move = update_of(self._joint) if self._joint is not None else None

    def update(self, due: Sequence[int]) -> None:
        """Move the weights of the folds whose update is due, and set the rates of their next."""
        if self._is_together and self._follows_curve:
            self._are_one = self._are_alike()
        if self._is_together and (len(due) < len(self._parts) or not (self._are_one or self._can_vary())):
            self._part()
        if self._is_together:
            self._update_together()
        else:
            self._update_apart(due)
        for parts in self._with_curves if len(due) == len(self._parts) else [self._parts[fold] for fold in due]:
            parts.weights.after_update()

    def rates(self, folds: Sequence[int]) -> Sequence[float]:
        """The rates of some folds now."""
        if self._follows_curve or len(folds) < len(self._parts):
            return [self._parts[fold].mover.rate for fold in folds]
        return self._fixed

    def write(self, fold: int) -> None:
        """Bring the state of a fold's own optimizer up to date."""
        if self._joint is None or not self._is_together:
            return
        parts = self._parts[fold]
        for name, stacked in self._held.weights.items():
            state = self._joint.state[stacked]
            own = {key: _part_of(value, stacked, fold) for key, value in state.items()}
            parts.mover.optimizer.state[parts.trained[name]].update(own)

    def _part(self) -> None:
        """From now on each fold moves by itself."""
        for fold in range(len(self._parts)):
            self.write(fold)
        self._is_together = False

    def _update_together(self) -> None:
        gradients = [weights.grad for weights in self._held.weights.values() if weights.grad is not None]
        if self._clip.norm:
            clip_norms(gradients, self._clip.norm)
        if self._clip.value:
            for gradient in gradients:
                gradient.clamp_(-self._clip.value, self._clip.value)
        self._move_together()
        for weights in self._held.weights.values():
            weights.grad = None
        if self._follows_curve:
            for parts in self._parts:
                parts.mover.after_joint_update()

    def _move_together(self) -> None:
        assert self._joint is not None  # they are together
        assert self._move is not None
        if not self._are_one:
            update_varied(self._joint, self._by_fold())
            return
        if self._follows_curve:
            for group, own in zip(self._joint.param_groups, self._by_fold()[0], strict=True):
                group.update(own)
        self._move()

    def _update_apart(self, due: Sequence[int]) -> None:
        for fold in due:
            parts = self._parts[fold]
            for name, weights in self._held.weights.items():
                parts.trained[name].grad = None if weights.grad is None else weights.grad[fold]
            parts.mover.update()
        for weights in self._held.weights.values():
            if len(due) == len(self._parts):
                weights.grad = None
            elif weights.grad is not None:  # the others gather on
                weights.grad[list(due)] = 0.0

    def _by_fold(self) -> list[list[dict[str, Any]]]:
        """The options of every group now, by fold."""
        return [[_options(group) for group in parts.mover.optimizer.param_groups] for parts in self._parts]

    def _are_alike(self) -> bool:
        """Whether all folds have the same rates and options now."""
        first, *others = self._by_fold()
        return all(options == first for options in others)

    def _can_vary(self) -> bool:
        """Whether folds whose options differ can be moved together."""
        return can_vary(type(self._parts[0].mover.optimizer), self._by_fold())

    def _made(self) -> optim.Optimizer | None:
        """An optimizer over the stacked weights, with the state of those of the folds; None where the states are not
        of one age."""
        model = self._parts[0].mover.optimizer
        groups = [
            _options(group) | {"params": [self._held.weights[self._names[id(one)]] for one in group["params"]]}
            for group in model.param_groups
        ]
        joint: optim.Optimizer = type(model)(groups, **_needed(model))
        for name, weights in self._held.weights.items():
            states = [parts.mover.optimizer.state.get(parts.trained[name], {}) for parts in self._parts]
            if any(states):
                together = _together(states)
                if together is None:
                    return None
                joint.state[weights].update(together)
        return joint


def clip_norms(gradients: Sequence[Tensor], limit: float) -> None:
    """Scale the gradients (F, *shape) of each fold down to a norm, as `clip_grad_norm_` does for one."""
    if not gradients:
        return
    norms = torch.stack([torch.linalg.vector_norm(gradient.flatten(1), dim=1) for gradient in gradients])
    scale = (limit / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale.reshape(-1, *[1] * (gradient.ndim - 1)))


def _options(group: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key != "params"}


def _needed(model: optim.Optimizer) -> dict[str, Any]:
    """What the class asks for beside its groups; every group has options of its own."""
    return {"lr": model.defaults["lr"]} if type(model) is optim.SGD else {}


def _together(states: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """One state of stacked weights; None where the folds have taken different numbers of steps."""
    together: dict[str, Any] = {}
    for key, first in states[0].items():
        own = [state.get(key) for state in states]
        if isinstance(first, Tensor) and first.ndim:
            together[key] = torch.stack([value for value in own if isinstance(value, Tensor)])
        elif any(value is None or not bool(value == first) for value in own):
            return None
        else:
            together[key] = first.clone() if isinstance(first, Tensor) else first
    return together if len(together) == max(len(state) for state in states) else None


def _part_of(value: Any, stacked: Tensor, fold: int) -> Any:  # noqa: ANN401 - the state of any optimizer
    if not isinstance(value, Tensor):
        return value
    return value[fold].clone() if value.shape == stacked.shape and value.ndim else value.clone()
