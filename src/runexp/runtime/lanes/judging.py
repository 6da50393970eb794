"""The losses of a step in which some lanes may rest and some rows may be masked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from runexp.runtime.graph.forward import Forward
from runexp.runtime.graph.partial import live_rows
from runexp.runtime.losses import BoundLoss


class PartialJudge:
    """Computes the losses that have live rows in a step, over those rows only (S-17, S-18)."""

    def __init__(self, losses: Sequence[BoundLoss], forward: Forward) -> None:
        self._losses = losses
        self._forward = forward

    def __call__(self, values: Sequence[Any]) -> tuple[list[Tensor | None], list[int]]:
        """Each loss and the rows it counts; None and 0 for one that has none in this step."""
        judged = [self._judge(loss, values) for loss in self._losses]
        return [value for value, _ in judged], [n_rows for _, n_rows in judged]

    def total(self, losses: Sequence[Tensor | None], weights: Sequence[float]) -> Tensor | None:
        """The weighted sum of the losses there are; None where there is none."""
        total: Tensor | None = None
        for loss, weight in zip(losses, weights, strict=True):
            if loss is not None:
                total = loss * weight if total is None else total + loss * weight
        return total

    def _judge(self, loss: BoundLoss, values: Sequence[Any]) -> tuple[Tensor | None, int]:
        if any(values[slot] is None for slot in loss.reads):
            return None, 0
        rows = live_rows(loss.reads, self._forward.live)
        if rows is None:
            return loss(values), len(values[loss.reads[0]])
        n_rows = int(rows.sum())
        if not n_rows:
            return None, 0
        chosen = list(values)
        for slot in loss.reads:
            chosen[slot] = values[slot][rows]
        return loss(chosen), n_rows
