"""Callbacks that write files: the weights of the best epoch, and what the model is made of."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any

from runexp.engine.callbacks import improves
from runexp.engine.view import View
from runexp.plan.phases import BuiltInPlan
from runexp.runtime.callbacks.live import Hooks, LivePhase
from runexp.runtime.graph.graph import Graph
from runexp.runtime.tensor_files import write_tensors


class SaveBest:
    """Writes the weights whenever they are the best so far."""

    measures = False

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._live = live
        self._monitor, self._mode = str(plan.options["monitor"]), plan.options["mode"]
        self._best = math.nan

    def hooks(self) -> Hooks:
        """The ends of epochs."""
        return {"on_epoch_end": self._look}

    def state(self) -> Mapping[str, Any]:
        """The best so far."""
        return {"best": self._best}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self._best = state["best"]

    def _look(self, view: View) -> None:
        value = view.measured.get(self._monitor, math.nan)
        if not improves(value, self._best, self._mode):
            return
        self._best = value
        folder = self._live.folder()
        tensors = {
            f"{node}.{key}": tensor.cpu().contiguous()
            for node, found in view.snapshot().tensors.items()
            for key, tensor in found.items()
        }
        aside = folder / ".weights.tmp"
        write_tensors(tensors, aside)
        os.replace(aside, folder / "weights.safetensors")
        told = {"epoch": view.epoch, "monitor": self._monitor, "value": value, "measured": dict(view.measured)}
        (folder / "best.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


class ModelSummary:
    """Writes the summary when the phase starts."""

    measures = False

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._live = live

    def hooks(self) -> Hooks:
        """The start of the phase."""
        return {"on_phase_start": self._write}

    def _write(self, view: View) -> None:
        text, n_parameters, n_trained = summary(self._live.graph)
        (self._live.folder() / "model.txt").write_text(text, encoding="utf-8")
        view.report({"parameters": n_parameters, "trained": n_trained})


def summary(graph: Graph) -> tuple[str, int, int]:
    """The layers as a table; the parameters in all, and those that train."""
    lines = [f"{'layer':<40} {'class':<24} {'parameters':>12} {'trains':>12}"]
    n_all = n_trained = 0
    for node, module in graph.modules.items():
        for name, part in module.named_modules(prefix=node):
            own = [(one.numel(), one.requires_grad) for one in part.parameters(recurse=False)]
            count, moving = sum(n for n, _ in own), sum(n for n, moves in own if moves)
            lines.append(f"{name:<40} {type(part).__name__:<24} {count:>12,} {moving:>12,}")
            n_all, n_trained = n_all + count, n_trained + moving
    lines.append(f"{'in all':<40} {'':<24} {n_all:>12,} {n_trained:>12,}")
    return "\n".join(lines) + "\n", n_all, n_trained
