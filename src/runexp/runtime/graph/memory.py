"""Nodes that trade time for memory: forward in chunks of rows, activations computed again in the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.graph import NodePlan

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def sparing(plan: NodePlan, module: nn.Module) -> Callable[..., Tensor]:
    """What computes a node with the memory its plan allows: the module itself where nothing was said."""
    call: Callable[..., Tensor] = module
    if plan.checkpointing:
        call = _Recomputed(module)
    return _Chunked(call, plan.chunk_size) if plan.chunk_size else call


def check_chunks(plan: NodePlan, module: nn.Module) -> None:
    """`SpecError` for a node in which rows depend on each other, so that chunks would give other numbers."""
    if plan.chunk_size and any(isinstance(part, _BATCH_NORMS) for part in module.modules()):
        message = f"`{plan.name}` normalises over its batch, and chunks of it would give other numbers"
        hint = "leave out `chunk_size`, or use a norm of its own for each row, such as `layer_norm`"
        raise SpecError(
            [
                Diagnostic(
                    "exclusive-options", message, plan.origin.span, help=hint, path=f"{plan.origin.path}.chunk_size"
                )
            ]
        )


class _Chunked:
    """Rows sent through a few at a time. Every input is cut alike, and the outputs put together again."""

    def __init__(self, call: Callable[..., Tensor], size: int) -> None:
        self._call = call
        self._size = size

    def __call__(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        n_rows = len(next(iter([*inputs, *named.values()])))
        if n_rows <= self._size:
            return self._call(*inputs, **named)
        outputs = []
        for start in range(0, n_rows, self._size):
            rows = slice(start, start + self._size)
            outputs.append(self._call(*[value[rows] for value in inputs], **{k: v[rows] for k, v in named.items()}))
        return torch.cat(outputs)


class _Recomputed:
    """Only inputs are kept for the backward pass, which runs the module again.

    Random numbers are those of the first time; batch statistics are noted the first time only.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def __call__(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            output: Tensor = self._module(*inputs, **named)
            return output
        call = partial(self._module, **named)
        kept: Tensor = checkpoint(call, *inputs, use_reentrant=False, context_fn=self._contexts)
        return kept

    def _contexts(self) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        return nullcontext(), _without_statistics(self._module)


@contextmanager
def _without_statistics(module: nn.Module) -> Iterator[None]:
    """Batch normalisations that take no note of what passes through them."""
    norms = [part for part in module.modules() if isinstance(part, _BATCH_NORMS)]
    before = [(part.momentum, part.num_batches_tracked) for part in norms]
    for part in norms:
        part.momentum = 0.0
        part.num_batches_tracked = None if part.num_batches_tracked is None else part.num_batches_tracked.clone()
    try:
        yield
    finally:
        for part, (momentum, count) in zip(norms, before, strict=True):
            part.momentum, part.num_batches_tracked = momentum, count
