"""When a train phase saves its state, which checkpoints stay, and which is the best."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from runexp.engine.callbacks import improves
from runexp.engine.protocol import CheckpointStore, TrainProgram
from runexp.events import CheckpointSaved
from runexp.plan.phases import CheckpointPlan


class CheckpointRule:
    """Saves at the ends of epochs; keeps the newest `max_to_keep`, and always the best and the last (S-37)."""

    def __init__(self, plan: CheckpointPlan, phase: str, store: CheckpointStore) -> None:
        self._plan = plan
        self._phase = phase
        self._store = store
        self._kept: list[str] = []
        self._best = ""
        self._best_value = math.nan

    @property
    def last(self) -> str:
        """The newest checkpoint; empty where there is none."""
        return self._kept[-1] if self._kept else ""

    def after_epoch(
        self, epoch: int, step: int, measured: Mapping[str, float], program: TrainProgram, *, final: bool
    ) -> Iterator[CheckpointSaved]:
        """Save if one is due, and after the `final` epoch; older ones go only after the new one is committed."""
        if (epoch + 1) % self._plan.every_n and not final:
            return
        state = {"phase": self._phase, "epoch": epoch, "step": step, "metrics": dict(measured)}
        name = self._store.save(self._phase, f"epoch-{epoch:04d}", state, program.state())
        self._kept.append(name)
        is_best = self._is_best(measured)
        self._best = name if is_best else self._best
        self._store.point(self._phase, {"last": name} | ({"best": self._best} if self._best else {}))
        self._forget()
        yield CheckpointSaved(self._phase, epoch, step, name, is_best)

    def state(self) -> Mapping[str, Any]:
        """Which checkpoints there are and which is the best."""
        return {"kept": list(self._kept), "best": self._best, "best_value": self._best_value}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""
        self._kept, self._best, self._best_value = list(state["kept"]), state["best"], state["best_value"]

    def _is_best(self, measured: Mapping[str, float]) -> bool:
        value = measured.get(self._plan.monitor, math.nan) if self._plan.monitor else math.nan
        if not improves(value, self._best_value, self._plan.mode):
            return False
        self._best_value = value
        return True

    def _forget(self) -> None:
        surplus = len(self._kept) - self._plan.max_to_keep if self._plan.max_to_keep else 0
        for name in self._kept[: max(surplus, 0)]:
            if name != self._best:
                self._store.remove(name)
        self._kept = [name for index, name in enumerate(self._kept) if index >= surplus or name == self._best]
