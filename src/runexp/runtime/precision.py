"""The precision of a train phase: which numbers forward passes and losses are computed in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch

from runexp.plan.phases import PrecisionName

Computed = TypeVar("Computed")

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """fp32 as it is; bf16 and fp16 by torch's autocast, fp16 with losses scaled so that gradients do not vanish.

    Weights, gradients and updates are fp32 in any case. Entered, it holds for what is computed inside.
    """

    def __init__(self, name: PrecisionName, device: torch.device) -> None:
        self._name = name
        self._device = device.type if device.type != "meta" else "cpu"
        self._casting: AbstractContextManager[object] = nullcontext()
        if name != "fp32":
            self._casting = torch.autocast(self._device, dtype=_DTYPES[name])

    def __enter__(self) -> None:
        self._casting.__enter__()

    def __exit__(self, *exception: object) -> None:
        self._casting.__exit__(*exception)  # type: ignore[arg-type]  # handed on as it came

    def around(self, compute: Callable[..., Computed]) -> Callable[..., Computed]:
        """The function computed in this precision; itself for fp32."""
        if self._name == "fp32":
            return compute

        def computed(*given: object) -> Computed:
            with self:
                return compute(*given)

        return computed

    def scaler(self) -> torch.amp.GradScaler | None:
        """A new scaler of losses; None where none is needed."""
        return torch.amp.GradScaler(self._device) if self._name == "fp16" else None
