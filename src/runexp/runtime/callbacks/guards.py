"""Callbacks that watch over a phase: numbers that are not finite, time, memory, a loss that stands still."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from runexp.engine.callbacks import improves
from runexp.engine.finite import NonFiniteLoss
from runexp.engine.view import View
from runexp.plan.phases import BuiltInPlan
from runexp.runtime.callbacks.live import Hooks, LivePhase
from runexp.runtime.callbacks.memory import held_bytes


class NanGuard:
    """Looks at loss and gradients before an update."""

    measures = False

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._live = live
        self._on_nan = str(plan.options["on_nan"])
        self._seen: tuple[int, int] = (0, -1)
        self._n_found = 0
        self._found = ""
        live.program.watchers.append(self)

    def hooks(self) -> Hooks:
        """The ends of batches and of epochs."""
        return {"on_batch_end": self._tell, "on_epoch_end": self._count}

    def state(self) -> Mapping[str, Any]:
        """What was found in this epoch, and what of it was not told."""
        return {"n_found": self._n_found, "found": self._found}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self._n_found, self._found = state["n_found"], state["found"]

    def before_update(self) -> bool:
        """Whether the update may be taken: always, unless something is wrong and it is to be left out."""
        latest = self._live.program.latest()
        loss = latest.get("loss", 0.0)
        broken = "" if math.isfinite(loss) else f"the loss is {loss}"
        broken = broken or self._broken_gradient()
        self._found = broken
        return not broken or self._on_nan == "warn"

    def after_update(self) -> None:
        """Nothing to do."""

    def _broken_gradient(self) -> str:
        gradients = {name: one.grad for name, one in self._live.program.trained.items() if one.grad is not None}
        if not gradients or math.isfinite(nn.utils.get_total_norm(list(gradients.values())).item()):
            return ""
        name = next((name for name, grad in gradients.items() if not torch.isfinite(grad).all()), "")
        return f"the gradient of `{name}` is not finite" if name else ""

    def _tell(self, view: View) -> None:
        if not self._found:
            return
        where = f"epoch {view.epoch}, batch {view.batch} ({self._rows(view)}) of `{view.phase}`"
        told, self._found = f"{self._found} in {where}", ""
        self._n_found += 1
        if self._on_nan == "stop":
            raise NonFiniteLoss(f"{told}; a lower learning rate, `clip: {{norm: 1.0}}` or scaled data may help")
        if self._n_found == 1:
            then = "the update is left out" if self._on_nan == "skip" else "the update is taken"
            view.warn(f"{told}: {then}, and those of other such batches of this epoch")

    def _rows(self, view: View) -> str:
        sizes = self._live.program.batch_sizes
        first = sum(sizes[: view.batch])
        return f"rows {first} to {first + sizes[view.batch] - 1} in the order drawn"

    def _count(self, view: View) -> None:
        if self._on_nan != "stop":
            view.log({"nan_batches": float(self._n_found)})
        self._n_found = 0


class TimeLimit:
    """Stops a phase when its time is over."""

    measures = False

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._minutes = float(plan.options["minutes"])
        self._spent = 0.0
        self._started = time.monotonic()
        self._is_over = False

    def hooks(self) -> Hooks:
        """The start of the phase and the ends of batches."""
        return {"on_phase_start": self._start, "on_batch_end": self._look}

    def state(self) -> Mapping[str, Any]:
        """The seconds spent."""
        return {"spent": self._spent + time.monotonic() - self._started}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self._spent = state["spent"]

    def _start(self, _: View) -> None:
        self._started = time.monotonic()

    def _look(self, view: View) -> None:
        if not self._is_over and self._spent + time.monotonic() - self._started >= self._minutes * 60:
            self._is_over = True
            view.request_stop(self.name, f"{self._minutes:g} minutes are over", at="batch")


class MemoryLimit:
    """Stops a phase that has held too much memory."""

    measures = False

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._gigabytes = float(plan.options["gigabytes"])

    def hooks(self) -> Hooks:
        """The ends of epochs."""
        return {"on_epoch_end": self._look}

    def _look(self, view: View) -> None:
        held = held_bytes() / 1e9
        if held > self._gigabytes:
            view.request_stop(self.name, f"{held:.3g} GB were held, more than {self._gigabytes:g}")


class LossNotDecreasing:
    """Warns once for every stretch without improvement."""

    measures = False

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._options = plan.options
        self._best = math.nan
        self._waited = 0

    def hooks(self) -> Hooks:
        """The ends of epochs."""
        return {"on_epoch_end": self._look}

    def state(self) -> Mapping[str, Any]:
        """The best so far and how long ago it was."""
        return {"best": self._best, "waited": self._waited}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self._best, self._waited = state["best"], state["waited"]

    def _look(self, view: View) -> None:
        monitor = str(self._options["monitor"])
        if monitor not in view.measured:
            return
        value = view.measured[monitor]
        if improves(value, self._best, self._options["mode"], self._options["min_delta"]):
            self._best, self._waited = value, 0
            return
        self._waited += 1
        if self._waited == self._options["patience"]:
            view.warn(f"no better {monitor} in {self._waited} epochs; best {self._best:.6g}, now {value:.6g}")
