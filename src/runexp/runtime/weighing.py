"""The weights of the losses of a phase, which may change from update to update (S-16)."""

from __future__ import annotations

import math
from collections.abc import Callable

from runexp.plan.graph import WeightCurve
from runexp.plan.phases import TrainPlan


class LossWeights:
    """What each loss of a phase counts now, in the order of the losses."""

    def __init__(self, plan: TrainPlan, n_steps_an_epoch: int) -> None:
        length = plan.n_steps or plan.n_epochs * n_steps_an_epoch
        self._curves = {
            index: (loss.curve, loss.curve.n_steps or loss.curve.n_epochs * n_steps_an_epoch or length)
            for index, loss in enumerate(plan.losses)
            if loss.curve is not None
        }
        self._names = [loss.name for loss in plan.losses]
        self.step = 0
        self.now = [loss.weight for loss in plan.losses]
        """Read at every step; its numbers change in place."""
        self._set()

    @property
    def are_one(self) -> bool:
        """Whether the losses simply add up."""
        return not self._curves and all(weight == 1.0 for weight in self.now)

    @property
    def changing(self) -> dict[str, float]:
        """The weights that change, as of the last update, for the record of an epoch: `weight/<loss>`."""
        return {
            f"weight/{self._names[index]}": weight_at(curve, max(0, self.step - 1), n_steps)
            for index, (curve, n_steps) in self._curves.items()
        }

    def after_update(self) -> None:
        """Set the weights of the next update."""
        if self._curves:
            self.step += 1
            self._set()

    def go_to(self, step: int) -> None:
        """Set the weights of an update, counted from 0."""
        self.step = step
        self._set()

    def _set(self) -> None:
        for index, (curve, n_steps) in self._curves.items():
            self.now[index] = weight_at(curve, self.step, n_steps)


def weight_at(curve: WeightCurve, step: int, n_steps: int) -> float:
    """The weight at an update, from 0: it begins at `start` and has reached `end` after `n_steps` updates."""
    share = _SHARES[curve.kind](min(1.0, step / max(1, n_steps)))
    return curve.end if share == 1.0 else curve.start + (curve.end - curve.start) * share


_SHARES: dict[str, Callable[[float], float]] = {
    "linear": lambda progress: progress,
    "cosine": lambda progress: 0.5 * (1 - math.cos(math.pi * progress)),
    "step": lambda progress: float(progress >= 1.0),
}
