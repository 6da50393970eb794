"""The weights and buffers of several folds in one tensor each; those of a fold are views into it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from runexp.runtime.stacking.modules import Values
from runexp.runtime.training import TrainParts


class Held:
    """By `<node>.<name>`, weights and buffers (F, *shape) of the nodes that run. What is evaluated, saved or restored
    of a fold is read and written where the steps are taken, without a copy.

    `ValueError` where the folds have tensors of different shapes.
    """

    def __init__(self, parts: Sequence[TrainParts]) -> None:
        named = [_tensors(one) for one in parts]
        self.n_folds = len(parts)
        self.weights: dict[str, Tensor] = {}
        self.buffers: dict[str, Tensor] = {}
        for name, first in named[0].items():
            own = [tensors[name] for tensors in named if name in tensors]
            if len(own) < self.n_folds or any(one.shape != first.shape for one in own):
                raise ValueError(f"`{name}` has another shape in each of them")
            together = torch.stack([one.detach() for one in own])
            for fold, one in enumerate(own):
                one.data = together[fold]
            if name in parts[0].trained:
                self.weights[name] = together.requires_grad_()
            else:
                self.buffers[name] = together

    @property
    def values(self) -> Values:
        """All of them."""
        return {**self.weights, **self.buffers}

    def of(self, folds: Sequence[int]) -> tuple[Values, dict[str, Tensor]]:
        """Those of some folds: gradients find their way back; the second are copies that `put_back` takes."""
        index = torch.tensor(folds, device=next(iter(self.weights.values())).device)
        copies = {name: value.index_select(0, index) for name, value in self.buffers.items()}
        return {name: value.index_select(0, index) for name, value in self.weights.items()} | copies, copies

    def put_back(self, folds: Sequence[int], copies: Values) -> None:
        """Keep what a forward pass noted in the copies."""
        for name, value in copies.items():
            for place, fold in enumerate(folds):
                self.buffers[name][fold].copy_(value[place])


def _tensors(parts: TrainParts) -> dict[str, Tensor]:
    """Parameters and buffers of every module of the forward pass."""
    modules: dict[str, nn.Module] = {
        name: parts.graph.modules[name] for name, _ in parts.forward.calls if name in parts.graph.modules
    }
    return {
        f"{name}.{key}": tensor
        for name, module in modules.items()
        for key, tensor in (*module.named_parameters(), *module.named_buffers())
    }
