"""Callbacks that report numbers of a phase: learning rates, norms, histograms, speed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from runexp.engine.view import View
from runexp.plan.phases import BuiltInPlan
from runexp.runtime.callbacks.live import Hooks, LivePhase
from runexp.runtime.callbacks.memory import held_bytes

HISTOGRAMS = "histograms.jsonl"


class LearningRateMonitor:
    """Reports the rate of every group."""

    measures = False

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._live = live

    def hooks(self) -> Hooks:
        """The ends of epochs."""
        return {"on_epoch_end": self._report}

    def _report(self, view: View) -> None:
        view.log({f"lr_{index}": rate for index, rate in enumerate(self._live.program.rates_now)})


class Norms:
    """Reports the mean norm of an epoch's gradients, before they are clipped, and the norm of the weights."""

    measures = False

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        trained = live.program.trained
        nodes = dict.fromkeys(name.partition(".")[0] for name in trained) if plan.options["by_node"] else {}
        self._groups = {"": list(trained.values())} | {
            f"_{node}": [value for name, value in trained.items() if name.partition(".")[0] == node] for node in nodes
        }
        self._sums: dict[str, list[Tensor]] = {name: [] for name in self._groups}
        live.program.watchers.append(self)

    def hooks(self) -> Hooks:
        """The ends of epochs."""
        return {"on_epoch_end": self._report}

    def state(self) -> Mapping[str, Any]:
        """The norms noted in this epoch."""
        return {"sums": {name: list(noted) for name, noted in self._sums.items()}}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self._sums = {
            name: [norm.to(self._groups[name][0].device) for norm in noted] for name, noted in state["sums"].items()
        }

    def before_update(self) -> bool:
        """Note the norms of this update's gradients."""
        for name, parameters in self._groups.items():
            self._sums[name].append(_norm(one.grad for one in parameters if one.grad is not None))
        return True

    def after_update(self) -> None:
        """Nothing to do."""

    def _report(self, view: View) -> None:
        for name, parameters in self._groups.items():
            noted, self._sums[name] = self._sums[name], []
            mean = float(torch.stack(noted).mean()) if noted else 0.0
            view.log({f"gradient_norm{name}": mean, f"weight_norm{name}": float(_norm(parameters))})


class Histograms:
    """Writes a line of JSON for every parameter: epoch, what, counts, and the edges they lie between."""

    measures = False

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._live = live
        self._bins = int(plan.options["bins"])
        self._every = int(plan.options["every_n_epochs"])
        self._gradients: Mapping[str, Tensor] = {}
        live.program.watchers.append(self)

    def hooks(self) -> Hooks:
        """The ends of epochs."""
        return {"on_epoch_end": self._write}

    def state(self) -> Mapping[str, Any]:
        """The last gradients, and how long the file is."""
        file = self._live.folder() / HISTOGRAMS
        return {"gradients": dict(self._gradients), "n_bytes": file.stat().st_size if file.exists() else 0}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave; what was written since is written again."""
        self._gradients = dict(state["gradients"])
        file = self._live.folder() / HISTOGRAMS
        if file.exists():
            os.truncate(file, min(state["n_bytes"], file.stat().st_size))

    def before_update(self) -> bool:
        """Keep hold of the gradients; the next update lets go of them."""
        trained = self._live.program.trained
        self._gradients = {name: one.grad for name, one in trained.items() if one.grad is not None}
        return True

    def after_update(self) -> None:
        """Nothing to do."""

    def _write(self, view: View) -> None:
        if (view.epoch + 1) % self._every:
            return
        with (self._live.folder() / HISTOGRAMS).open("a", encoding="utf-8") as file:
            for kind, tensors in (("weights", self._live.program.trained), ("gradients", self._gradients)):
                for name, tensor in tensors.items():
                    line = {"epoch": view.epoch, "of": kind, "parameter": name, **self._histogram(tensor)}
                    file.write(json.dumps(line) + "\n")

    def _histogram(self, tensor: Tensor) -> dict[str, object]:
        values = tensor.detach().float().flatten().cpu()
        finite = values[values.isfinite()]
        not_finite = {"not_finite": len(values) - len(finite)}
        if not len(finite):
            return {"counts": [], "low": 0.0, "high": 0.0, **not_finite}
        low, high = float(finite.min()), float(finite.max())
        counts = torch.histc(finite, bins=self._bins, min=low, max=high).long().tolist()
        return {"counts": counts, "low": low, "high": high, **not_finite}


class Throughput:
    """Reports speed and memory. Evaluations within the phase do not count."""

    measures = True

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._live = live
        self._started = 0.0

    def hooks(self) -> Hooks:
        """The starts and ends of epochs."""
        return {"on_epoch_start": self._start, "on_epoch_end": self._report}

    def state(self) -> Mapping[str, Any]:
        """The seconds that this epoch has taken."""
        return {"spent": time.perf_counter() - self._started}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self._started = time.perf_counter() - state["spent"]

    def _start(self, _: View) -> None:
        self._started = time.perf_counter()

    def _report(self, view: View) -> None:
        seconds = max(time.perf_counter() - self._started, 1e-9)
        n_rows = sum(self._live.program.batch_sizes)
        view.log({"rows_per_second": n_rows / seconds, "memory_mb": held_bytes() / 1e6})


def _norm(tensors: Iterable[Tensor]) -> Tensor:
    """The norm of all values together; 0 for none."""
    found = [tensor.detach() for tensor in tensors]
    return nn.utils.get_total_norm(found) if found else torch.zeros(())
