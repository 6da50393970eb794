"""Steps of several optimizers, one after the other: each sees what the one before it has changed (S-13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from runexp.engine.protocol import ExecutionContext
from runexp.plan.phases import TurnPlan
from runexp.runtime.graph.forward import Forward
from runexp.runtime.graph.partial import PartialBatch
from runexp.runtime.lanes.judging import PartialJudge
from runexp.runtime.losses import BoundLoss
from runexp.runtime.moving import Mover
from runexp.runtime.precision import Precision
from runexp.runtime.recording import StepRecord
from runexp.runtime.weighing import LossWeights


class Turn:
    """What one optimizer does in a step: the nodes its losses need, its losses, its update.

    `losses` come with their places among those of the phase.
    """

    def __init__(
        self,
        plan: TurnPlan,
        mover: Mover,
        forward: Forward,
        losses: Sequence[tuple[int, BoundLoss]],
        precision: Precision,
    ) -> None:
        self.name = plan.name
        self.mover = mover
        self.places = [place for place, _ in losses]
        self.every_n_steps = plan.every_n_steps
        self._forward = forward
        self._judge = PartialJudge([loss for _, loss in losses], forward)
        self._precision = precision

    def take(
        self, batch: Sequence[Tensor] | PartialBatch, weights: Sequence[float], *, spares: bool
    ) -> tuple[list[Tensor | None], list[int]]:
        """Its losses, detached, and the rows each counts. With `spares` a total that is not finite moves nothing."""
        with self._precision:
            losses, n_rows = self._judge(self._forward(batch))
            total = self._judge.total(losses, [weights[place] for place in self.places])
        if total is not None:
            self.mover.backward_into_own(total)
            self.mover.update(is_left_out=spares and not bool(torch.isfinite(total)))
        return [None if loss is None else loss.detach() for loss in losses], n_rows


class Turns:
    """The turns of a step, in the order written. One that is not due in a step costs nothing."""

    def __init__(self, turns: Sequence[Turn], weights: LossWeights, n_losses: int, *, is_partial: bool) -> None:
        self._turns = turns
        self._weights = weights
        self._n_losses = n_losses
        self._is_partial = is_partial or any(turn.every_n_steps > 1 for turn in turns)
        self.step = 0
        self.spares = False

    def take(self, context: ExecutionContext, record: StepRecord) -> bool:
        """Take the turns that are due; what two of them compute is noted as the first found it. False where a loss is
        known not to be finite."""
        rates = [turn.mover.rate for turn in self._turns]
        losses: list[Tensor | None] = [None] * self._n_losses
        n_rows = [0] * self._n_losses
        self.step += 1
        for turn in self._turns:
            if self.step % turn.every_n_steps:
                continue
            taken = zip(turn.places, *turn.take(context.batches, self._weights.now, spares=self.spares), strict=True)
            for place, loss, n in taken:
                if losses[place] is None:
                    losses[place], n_rows[place] = loss, n
        return self._note(record, losses, n_rows, rates)

    def state(self) -> Mapping[str, Any]:
        """The state dict of every optimizer, by its name."""
        return {turn.name: turn.mover.state() for turn in self._turns}

    def in_order(self, states: Mapping[str, Any]) -> list[Any]:
        """What was given for each optimizer, in the order of the turns."""
        return [states[turn.name] for turn in self._turns]

    def _note(
        self, record: StepRecord, losses: Sequence[Tensor | None], n_rows: Sequence[int], rates: Sequence[float]
    ) -> bool:
        there = [(loss, weight) for loss, weight in zip(losses, self._weights.now, strict=True) if loss is not None]
        total = sum((loss * weight for loss, weight in there[1:]), there[0][0] * there[0][1]) if there else None
        record.add_rates(rates)
        if self._is_partial or total is None:
            return record.add_partly(losses, total, n_rows, rates[0])
        return record.add([loss for loss, _ in there], total, rates[0])
