"""The built-in callbacks: evaluation during training, and early stopping."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Literal

from runexp.engine.protocol import Snapshot
from runexp.engine.view import Callback, Hook, Restored, View
from runexp.plan.phases import BuiltInPlan, CallbackPlan, EarlyStoppingPlan, EvaluationPlan, Mode


def make_callback(plan: EvaluationPlan | EarlyStoppingPlan) -> Callback:
    """The live callback of a plan item."""
    match plan:
        case EvaluationPlan():
            return Evaluation(plan)
        case EarlyStoppingPlan():
            return EarlyStopping(plan)


def judges(plan: CallbackPlan) -> bool:
    """Whether a callback judges or draws numbers, so that those of the others have to be known before."""
    if isinstance(plan, BuiltInPlan):
        return "monitor" in plan.options or plan.use == "curves"
    return isinstance(plan, EarlyStoppingPlan)


def improves(value: float, best: float, mode: Mode, min_delta: float = 0.0) -> bool:
    """Whether `value` beats `best` by more than `min_delta`; what is not finite never does."""
    if not math.isfinite(value):
        return False
    if not math.isfinite(best):
        return True
    return value < best - min_delta if mode == "min" else value > best + min_delta


class Evaluation:
    """Evaluates another split after every n-th epoch or update, before the first and at the end if asked (S-34)."""

    measures = True

    def __init__(self, plan: EvaluationPlan) -> None:
        self.name = plan.name
        self._plan = plan

    def hooks(self) -> Mapping[Hook, Callable[[View], object]]:
        """Epoch ends, or those of batches; the start and the end of the phase only if asked."""
        by_steps = bool(self._plan.every_n_steps)
        hooks: dict[Hook, Callable[[View], object]] = {"on_batch_end" if by_steps else "on_epoch_end": self._when_due}
        if self._plan.at_start:
            hooks["on_phase_start"] = self._evaluate
        if self._plan.at_end:
            hooks["on_phase_end"] = self._at_end
        return hooks

    def _when_due(self, view: View) -> None:
        if self._is_due(view):
            self._evaluate(view)

    def _at_end(self, view: View) -> None:
        if not view.is_cut and view.epoch >= 0 and not self._is_due(view):
            self._evaluate(view)

    def _is_due(self, view: View) -> bool:
        if self._plan.every_n_steps:
            return view.update > 0 and view.update % self._plan.every_n_steps == 0
        return (view.epoch + 1) % self._plan.every_n_epochs == 0

    def _evaluate(self, view: View) -> None:
        view.evaluate(self._plan.evaluation, self.name)


class EarlyStopping:
    """Stops when a metric no longer improves. Patience counts its measurements, not epochs (S-35)."""

    measures = False

    def __init__(self, plan: EarlyStoppingPlan) -> None:
        self.name = plan.name
        self._plan = plan
        self._best = Restored(plan.name, -1, plan.monitor, math.nan, {})
        self._best_update = -1
        self._snapshot: Snapshot = None
        self._waited = 0

    def hooks(self) -> Mapping[Hook, Callable[[View], object]]:
        """Epoch ends, and evaluations amid them; the start of the phase for a first measure; its end to restore the
        best."""
        hooks: dict[Hook, Callable[[View], object]] = {
            "on_phase_start": self._improve,
            "on_epoch_end": self._look,
            "on_measured": self._look_amid,
        }
        if self._plan.restore_best:
            hooks["on_phase_end"] = self._restore
        return hooks

    def state(self) -> Mapping[str, Any]:
        """The best so far, with its weights, and how long it has been so."""
        best = {field.name: getattr(self._best, field.name) for field in fields(Restored)}
        return {"best": best, "update": self._best_update, "snapshot": self._snapshot, "waited": self._waited}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""
        self._best = Restored(**state["best"])
        self._best_update = state["update"]
        self._snapshot, self._waited = state["snapshot"], state["waited"]

    def _look_amid(self, view: View) -> None:
        self._look(view, at="batch")

    def _look(self, view: View, *, at: Literal["batch", "epoch"] = "epoch") -> None:
        if self._plan.monitor not in view.measured:
            return
        if self._improve(view):
            self._waited = 0
            return
        self._waited += 1
        if self._waited >= self._plan.patience:
            view.request_stop(self.name, self._reason(), at=at)

    def _improve(self, view: View) -> bool:
        """Keep what is measured now if it is the best so far."""
        plan = self._plan
        value = view.measured.get(plan.monitor, math.nan)
        if not improves(value, self._best.value, plan.mode, plan.min_delta):
            return False
        self._best = Restored(self.name, view.epoch, plan.monitor, value, dict(view.measured))
        self._best_update = view.update
        self._snapshot = view.snapshot() if plan.restore_best else None
        return True

    def _reason(self) -> str:
        best, waited = self._best, self._waited
        if math.isnan(best.value):
            return f"{self._plan.monitor} was never a finite number in {waited} evaluations"
        since = f"no better {best.monitor} in {waited} evaluation{'s' if waited > 1 else ''}"
        where = f"at epoch {best.epoch}" if best.epoch >= 0 else "before the first epoch"
        return f"{since}; best {best.value:.6g} {where}"

    def _restore(self, view: View) -> None:
        if not view.is_cut and self._plan.monitor in view.measured:
            self._improve(view)  # what was evaluated at the end may be the best
        if self._snapshot is not None and self._best_update != view.update:
            view.restore(self._snapshot, self._best)
