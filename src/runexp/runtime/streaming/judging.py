"""Losses over a split whose outputs are too many to keep: summed chunk by chunk, where that is exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.graph import LossPlan
from runexp.plan.phases import EvalPlan
from runexp.plan.streaming import class_of
from runexp.runtime.data.problems import shown
from runexp.runtime.losses import BoundLoss
from runexp.runtime.streaming.column import HELD_BYTES

_MEANS = frozenset(
    {
        "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "HuberLoss", "L1Loss", "MSELoss", "NLLLoss", "SmoothL1Loss",
        "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "l1_loss",
        "mse_loss", "nll_loss", "smooth_l1_loss",
    }
)  # fmt: skip
"""Losses that are a mean over rows, as long as no option weighs rows or classes."""

_HARMLESS = frozenset({"beta", "delta", "label_smoothing", "reduction"})


class LossSums:
    """Each loss summed over rows, in double precision."""

    def __init__(self, losses: Sequence[BoundLoss]) -> None:
        self._losses = tuple(losses)
        self._totals = [0.0] * len(losses)
        self._n_rows = 0

    def add(self, values: Sequence[Any], n_rows: int) -> None:
        """Add a chunk of so many rows."""
        with torch.no_grad():
            for index, loss in enumerate(self._losses):
                self._totals[index] += loss(values).item() * n_rows
        self._n_rows += n_rows

    def take(self) -> Mapping[str, float]:
        """The weighted total and each loss over the rows added since the last call."""
        means = [total / self._n_rows for total in self._totals]
        self._totals, self._n_rows = [0.0] * len(self._losses), 0
        total = sum(mean * loss.weight for mean, loss in zip(means, self._losses, strict=True))
        return {"loss": total} | {loss.name: mean for loss, mean in zip(self._losses, means, strict=True)}


def sums_of(plan: EvalPlan, losses: Sequence[BoundLoss], kept: Sequence[Tensor], n_rows: int) -> LossSums | None:
    """Sums, where what is judged takes more than may be held; None where it can be kept as it comes by.

    `kept` are a few rows of all that is judged. `SpecError` where it can neither be kept nor summed.
    """
    n_bytes = sum(value.nbytes * n_rows // max(1, len(value)) for value in kept)
    if n_bytes <= HELD_BYTES:
        return None
    if not plan.metrics and all(_is_mean(loss) for loss in plan.losses):
        return LossSums(losses)
    judged = [metric.name for metric in plan.metrics] or [loss.name for loss in plan.losses if not _is_mean(loss)]
    message = (
        f"{shown(judged[0])} needs all outputs and targets of {n_rows:,} streamed rows at once: "
        f"{n_bytes / 2**30:.1f} GiB, of which {HELD_BYTES / 2**30:.3g} are held"
    )
    hint = "a smaller split for metrics; losses that are means over rows are summed as the rows come"
    raise SpecError([Diagnostic("too-large", message, plan.origin.span, help=hint, path=plan.origin.path)])


def _is_mean(loss: LossPlan) -> bool:
    is_plain = all(name in _HARMLESS for name in loss.call.arguments)
    is_summed = loss.call.arguments.get("reduction", "mean") != "mean"
    return class_of(loss.call) in _MEANS and is_plain and not is_summed and len(loss.routes) == 2
