"""What a step that is left out must not have moved: the buffers that its forward pass went through."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class KeptBuffers:
    """The buffers of some modules as they were before a step: running means of BatchNorm, counts, masks."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._live: list[Tensor] = [buffer for module in modules for buffer in module.buffers()]
        self._kept = [buffer.clone() for buffer in self._live]

    def keep(self) -> None:
        """Remember how they are."""
        self._copy(self._live, self._kept)

    def put_back(self) -> None:
        """Set them to how they were."""
        self._copy(self._kept, self._live)

    def _copy(self, source: list[Tensor], target: list[Tensor]) -> None:
        with torch.no_grad():
            for one, other in zip(source, target, strict=True):
                other.copy_(one)
