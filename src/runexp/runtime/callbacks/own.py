"""A callback class of the user's: called with a small view, and told by its name and line where it fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from torch import Tensor, nn

from runexp.diagnostics import did_you_mean
from runexp.engine.view import Hook, View
from runexp.plan.phases import OwnCallbackPlan
from runexp.runtime.callbacks.live import Hooks, LivePhase
from runexp.runtime.graph.graph import Graph
from runexp.runtime.own_code import OwnCodeError, failure, misfit
from runexp.runtime.resolve import make

_HOOKS: tuple[Hook, ...] = tuple(hook for hook in get_args(Hook) if hook != "on_measured" and "evaluation" not in hook)


class PhaseView:
    """The running phase as a callback of the user's sees it."""

    def __init__(self, name: str, view: View, live: LivePhase) -> None:
        self._name = name
        self._view = view
        self._live = live

    @property
    def phase(self) -> str:
        """The label of the phase."""
        return self._view.phase

    @property
    def epoch(self) -> int:
        """The epoch, from 0; -1 before the first."""
        return self._view.epoch

    @property
    def batch(self) -> int:
        """The batch within the epoch, from 0."""
        return self._view.batch

    @property
    def step(self) -> int:
        """The updates of the weights in the epochs before this one, at the end of an epoch in this one too."""
        return self._view.step

    @property
    def measured(self) -> Mapping[str, float]:
        """The numbers of this epoch so far; at a batch its `loss` and `lr`."""
        return dict(self._view.measured)

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """The modules by node. They are the live ones: look at them."""
        return dict(self._live.graph.modules)

    @property
    def rates(self) -> tuple[float, ...]:
        """The learning rate of each group of the optimizer."""
        return self._live.program.rates_now

    @property
    def folder(self) -> Path:
        """A folder of this callback's own in the run folder."""
        return self._live.folder()

    def weights(self, node: str = "") -> dict[str, Tensor]:
        """Copies of all weights and buffers by `<node>.<name>`, or those of one node."""
        return copied_weights(self._live.graph, node)

    def log(self, name: str, value: float) -> None:
        """Report a number under a name that nothing else uses; it stands among the metrics."""
        if name in self._view.measured:
            raise ValueError(f"`{name}` is measured already at this moment")
        self._view.log({str(name): float(value)})

    def evaluate(self, callback: str) -> Mapping[str, float]:
        """Run an evaluation of this phase now, by its name under `callbacks`; its numbers, which are logged too."""
        known = self._view.evaluations
        if callback not in known:
            raise KeyError(f"this phase has no evaluation `{callback}`: {did_you_mean(callback, tuple(known))}")
        return dict(self._view.evaluate(known[callback], callback))

    def request_stop(self, reason: str, *, at: Literal["batch", "epoch"] = "epoch") -> None:
        """End the phase after this batch or this epoch."""
        self._view.request_stop(self._name, reason, at=at)

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """The checkpoints of this phase in memory: `last`, `best` where one is known, and each by its name."""
        return self._view.held

    def roll_back(self, name: str = "best") -> None:
        """Set weights and buffers back to a checkpoint in memory (`checkpoints: {where: memory}`); `KeyError` where
        there is none of that name. The optimizer and the learning rate go on as they are."""
        if name not in self._view.held:
            known = (
                did_you_mean(name, self._view.held, kind="checkpoints") or "`checkpoints: {where: memory}` keeps some"
            )
            raise KeyError(f"this phase holds no checkpoint `{name}` in memory: {known}")
        self._view.roll_back(self._name, name)

    def warn(self, message: str) -> None:
        """Tell whoever watches the run."""
        self._view.warn(message)


class OwnCallback:
    """A callback of a phase."""

    measures = False

    def __init__(self, plan: OwnCallbackPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._live = live
        self._own = OwnHooks(plan, live.graph, _HOOKS)

    def hooks(self) -> Hooks:
        """Those that the class has."""
        return {hook: self._calling(hook) for hook in _HOOKS if hook in self._own.names}

    def state(self) -> Mapping[str, Any]:
        """What the user's class remembers."""
        return self._own.state()

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Hand it back."""
        self._own.load_state(state)

    def _calling(self, hook: Hook) -> Callable[[View], None]:
        return lambda view: self._own.call(hook, view, PhaseView(self.name, view, self._live))


class Told(Protocol):
    """Whatever hears of what a hook does."""

    @property
    def error(self) -> Exception | None:
        """What failed, at `on_exception`."""

    def report(self, result: object) -> None:
        """Keep plain data that a hook gave back."""

    def warn(self, message: str) -> None:
        """Tell a person something that stops nothing."""


class OwnHooks:
    """An instance of the user's class. Freeze flags and modes are after a call what they were (S-32)."""

    def __init__(self, plan: OwnCallbackPlan, graph: Graph, hooks: Sequence[str]) -> None:
        self._plan = plan
        self._graph = graph
        self._own: Any = make(plan.call)
        self._is_detached = False
        self.names = tuple(hook for hook in hooks if callable(getattr(self._own, hook, None)))
        if not self.names:
            raise misfit(plan.call, "has none of the hooks", f"one of {', '.join(hooks)}")

    def call(self, hook: str, told: Told, view: object) -> None:
        """Call a hook and keep what it gives back; what it raises fails the run, or takes the callback out."""
        if self._is_detached:
            return
        given = (view, told.error) if hook == "on_exception" else (view,)
        try:
            with _Preserved(self._graph):
                result = getattr(self._own, hook)(*given)
            if result is not None:
                told.report(self._plain(hook, result))
        except Exception as error:
            self._refuse(told, hook, error)

    def state(self) -> Mapping[str, Any]:
        """What the user's `state()` (or `state_dict()`) gives, if there is one, and whether it was taken out."""
        give = self._method("state", "state_dict")
        return {"own": dict(give()) if give else {}, "is_detached": self._is_detached}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Hand it back to the user's `load_state(state)` (or `load_state_dict`), if there is one."""
        self._is_detached = state["is_detached"]
        take = self._method("load_state", "load_state_dict")
        if take:
            take(state["own"])

    def _method(self, *names: str) -> Callable[..., Any] | None:
        found = (getattr(self._own, name, None) for name in names)
        return next((method for method in found if callable(method)), None)

    def _refuse(self, told: Told, hook: str, error: Exception) -> None:
        failed = error if isinstance(error, OwnCodeError) else failure(self._plan.call, error)
        if self._plan.on_error == "fail":
            raise failed from error
        self._is_detached = True
        told.warn(f"callback `{self._plan.name}` was taken out at {hook}: {failed}")

    def _plain(self, hook: str, result: object) -> Any:  # noqa: ANN401 - plain JSON data
        try:
            return json.loads(json.dumps(result))
        except (TypeError, ValueError) as error:
            hint = "numbers, text, lists and mappings can be kept; files belong into `view.folder`"
            raise misfit(self._plan.call, f"gives back what cannot be kept from {hook}: {error}", hint) from error


def copied_weights(graph: Graph, node: str) -> dict[str, Tensor]:
    """Copies of all weights and buffers by `<node>.<name>`, or those of one node; `KeyError` for an unknown one."""
    if node and node not in graph.modules:
        raise KeyError(f"no module of the graph is called `{node}`: {did_you_mean(node, tuple(graph.modules))}")
    return {
        f"{name}.{key}": value.detach().clone()
        for name, module in graph.modules.items()
        if node in ("", name)
        for key, value in module.state_dict().items()
    }


class _Preserved:
    """Freeze flags and train or eval modes, set back on every way out (S-32)."""

    def __init__(self, graph: Graph) -> None:
        self._modules = [part for module in graph.modules.values() for part in module.modules()]
        self._parameters = [parameter for module in graph.modules.values() for parameter in module.parameters()]

    def __enter__(self) -> None:
        self._modes = [part.training for part in self._modules]
        self._flags = [parameter.requires_grad for parameter in self._parameters]

    def __exit__(self, *_: object) -> None:
        for part, mode in zip(self._modules, self._modes, strict=True):
            part.training = mode
        for parameter, flag in zip(self._parameters, self._flags, strict=True):
            parameter.requires_grad_(flag)
