"""A callback class of the user's: called with a small view, and told by its name and line where it fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from torch import Tensor, nn

from runexp.diagnostics import did_you_mean
from runexp.engine.view import Hook, View
from runexp.plan.phases import OwnCallbackPlan
from runexp.runtime.callbacks.live import Hooks, LivePhase
from runexp.runtime.own_code import OwnCodeError, failure, misfit
from runexp.runtime.resolve import make

_HOOKS = tuple(hook for hook in get_args(Hook) if "evaluation" not in hook)


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
        return tuple(float(group["lr"]) for group in self._live.program.optimizer.param_groups)

    @property
    def folder(self) -> Path:
        """A folder of this callback's own in the run folder."""
        return self._live.folder()

    def weights(self, node: str = "") -> dict[str, Tensor]:
        """Copies of all weights and buffers by `<node>.<name>`, or those of one node."""
        modules = self._live.graph.modules
        if node and node not in modules:
            raise KeyError(f"no module of the graph is called `{node}`: {did_you_mean(node, tuple(modules))}")
        return {
            f"{name}.{key}": value.detach().clone()
            for name, module in modules.items()
            if node in ("", name)
            for key, value in module.state_dict().items()
        }

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

    def warn(self, message: str) -> None:
        """Tell whoever watches the run."""
        self._view.warn(message)


class OwnCallback:
    """Calls the hooks of an instance of the user's class; freeze flags and modes are afterwards what they were."""

    measures = False

    def __init__(self, plan: OwnCallbackPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._plan = plan
        self._live = live
        self._own: Any = make(plan.call)
        self._is_detached = False
        if not self._methods():
            raise misfit(plan.call, "has none of the hooks", f"one of {', '.join(_HOOKS)}")

    def hooks(self) -> Hooks:
        """Those that the class has."""
        return {hook: self._calling(hook, method) for hook, method in self._methods().items()}

    def state(self) -> Mapping[str, Any]:
        """What the user's `state()` gives, if there is one."""
        give = getattr(self._own, "state", None)
        return dict(give()) if callable(give) else {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Hand it back to the user's `load_state(state)`, if there is one."""
        take = getattr(self._own, "load_state", None)
        if callable(take):
            take(state)

    def _methods(self) -> dict[Hook, Callable[..., object]]:
        found = {hook: getattr(self._own, hook, None) for hook in _HOOKS}
        return {hook: method for hook, method in found.items() if callable(method)}

    def _calling(self, hook: Hook, method: Callable[..., object]) -> Callable[[View], None]:
        def call(view: View) -> None:
            if self._is_detached:
                return
            given = (PhaseView(self.name, view, self._live), *((view.error,) if hook == "on_exception" else ()))
            try:
                with _Preserved(self._live):
                    result = method(*given)
            except Exception as error:
                self._refuse(view, hook, error)
                return
            if result is not None:
                view.report(self._plain(hook, result))

        return call

    def _refuse(self, view: View, hook: Hook, error: Exception) -> None:
        told = error if isinstance(error, OwnCodeError) else failure(self._plan.call, error)
        if self._plan.on_error == "fail":
            raise told from error
        self._is_detached = True
        view.warn(f"callback `{self.name}` was taken out of `{view.phase}` at {hook}: {told}")

    def _plain(self, hook: Hook, result: object) -> Any:  # noqa: ANN401 - plain JSON data
        try:
            return json.loads(json.dumps(result))
        except (TypeError, ValueError) as error:
            hint = "numbers, text, lists and mappings can be kept; files belong into `view.folder`"
            raise misfit(self._plan.call, f"gives back what cannot be kept from {hook}: {error}", hint) from error


class _Preserved:
    """Freeze flags and train or eval modes, set back on every way out (S-32)."""

    def __init__(self, live: LivePhase) -> None:
        self._modules = [part for module in live.graph.modules.values() for part in module.modules()]
        self._parameters = [parameter for module in live.graph.modules.values() for parameter in module.parameters()]

    def __enter__(self) -> None:
        self._modes = [part.training for part in self._modules]
        self._flags = [parameter.requires_grad for parameter in self._parameters]

    def __exit__(self, *_: object) -> None:
        for part, mode in zip(self._modules, self._modes, strict=True):
            part.training = mode
        for parameter, flag in zip(self._parameters, self._flags, strict=True):
            parameter.requires_grad_(flag)
