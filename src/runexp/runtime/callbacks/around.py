"""Live callbacks around phases and groups: those of the user's, and the built-in ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from torch import Tensor, nn

from runexp.engine.experiment_hooks import ExperimentCallback, ExperimentHook, ExperimentView
from runexp.plan.phases import BuiltInPlan, MadePlan, OwnCallbackPlan
from runexp.runtime.callbacks.memory import held_bytes
from runexp.runtime.callbacks.own import OwnHooks, copied_weights
from runexp.runtime.callbacks.writing import summary
from runexp.runtime.graph.graph import Graph

Hooks = dict[ExperimentHook, Callable[[ExperimentView], object]]


@dataclass(frozen=True, slots=True)
class LiveExperiment:
    """The graph, and a folder for files that is made when first asked for."""

    graph: Graph
    folder: Callable[[], Path]


class RunView:
    """The running experiment as a callback of the user's sees it."""

    def __init__(self, name: str, view: ExperimentView, live: LiveExperiment) -> None:
        self._name = name
        self._view = view
        self._live = live

    @property
    def where(self) -> str:
        """The label of the phase or group; empty at the start and end of the experiment."""
        return self._view.where

    @property
    def results(self) -> Mapping[str, Mapping[str, float]]:
        """The final numbers of the phases that have ended, by label."""
        return {label: dict(numbers) for label, numbers in self._view.results.items()}

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """The modules by node. They are the live ones: look at them."""
        return dict(self._live.graph.modules)

    @property
    def folder(self) -> Path:
        """A folder of this callback's own in the run folder."""
        return self._live.folder()

    def weights(self, node: str = "") -> dict[str, Tensor]:
        """Copies of all weights and buffers by `<node>.<name>`, or those of one node."""
        return copied_weights(self._live.graph, node)

    def log(self, name: str, value: float) -> None:
        """Report a number; it stands among the metrics."""
        self._view.log({str(name): float(value)})

    def request_stop(self, reason: str) -> None:
        """Run none of the phases to come."""
        self._view.request_stop(self._name, reason)

    def warn(self, message: str) -> None:
        """Tell whoever watches the run."""
        self._view.warn(message)


class OwnExperimentCallback:
    """Calls the hooks of an instance of the user's class."""

    def __init__(self, plan: OwnCallbackPlan, live: LiveExperiment) -> None:
        self.name = plan.name
        self._live = live
        self._own = OwnHooks(plan, live.graph, get_args(ExperimentHook))

    def hooks(self) -> Hooks:
        """Those that the class has."""
        return {hook: self._calling(hook) for hook in get_args(ExperimentHook) if hook in self._own.names}

    def state(self) -> Mapping[str, Any]:
        """What the user's class remembers."""
        return self._own.state()

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Hand it back."""
        self._own.load_state(state)

    def _calling(self, hook: ExperimentHook) -> Callable[[ExperimentView], None]:
        return lambda view: self._own.call(hook, view, RunView(self.name, view, self._live))


class _TimeLimit:
    """Reads the clock whenever a phase ends."""

    def __init__(self, plan: BuiltInPlan, _: LiveExperiment) -> None:
        self.name = plan.name
        self._minutes = float(plan.options["minutes"])
        self._started = time.monotonic()

    def hooks(self) -> Hooks:
        """The start of the experiment and the ends of phases."""
        return {"on_experiment_start": self._start, "on_phase_end": self._look}

    def state(self) -> Mapping[str, Any]:
        """The seconds spent."""
        return {"spent": time.monotonic() - self._started}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self._started = time.monotonic() - state["spent"]

    def _start(self, _: ExperimentView) -> None:
        self._started = time.monotonic()

    def _look(self, view: ExperimentView) -> None:
        if time.monotonic() - self._started >= self._minutes * 60:
            view.request_stop(self.name, f"{self._minutes:g} minutes are over")


class _MemoryLimit:
    """Looks whenever a phase ends."""

    def __init__(self, plan: BuiltInPlan, _: LiveExperiment) -> None:
        self.name = plan.name
        self._gigabytes = float(plan.options["gigabytes"])

    def hooks(self) -> Hooks:
        """The ends of phases."""
        return {"on_phase_end": self._look}

    def _look(self, view: ExperimentView) -> None:
        held = held_bytes() / 1e9
        if held > self._gigabytes:
            view.request_stop(self.name, f"{held:.3g} GB were held, more than {self._gigabytes:g}")


class _ModelSummary:
    """Writes the summary at the end, when every node is built."""

    def __init__(self, plan: BuiltInPlan, live: LiveExperiment) -> None:
        self.name = plan.name
        self._live = live

    def hooks(self) -> Hooks:
        """The end of the experiment."""
        return {"on_experiment_end": self._write}

    def _write(self, view: ExperimentView) -> None:
        text, n_parameters, _ = summary(self._live.graph)
        (self._live.folder() / "model.txt").write_text(text, encoding="utf-8")
        view.report({"parameters": n_parameters})


_BUILT_IN: Mapping[str, Callable[[BuiltInPlan, LiveExperiment], ExperimentCallback]] = {
    "memory_limit": _MemoryLimit,
    "model_summary": _ModelSummary,
    "time_limit": _TimeLimit,
}


def open_experiment_callback(plan: MadePlan, live: LiveExperiment) -> ExperimentCallback:
    """The live callback. `SpecError` for code of the user's that fails."""
    if isinstance(plan, BuiltInPlan):
        return _BUILT_IN[plan.use](plan, live)
    return OwnExperimentCallback(plan, live)
