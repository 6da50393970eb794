"""Averages of weights: evaluations take them, training goes on with its own, the phase ends with the average."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from runexp.engine.view import View
from runexp.plan.phases import BuiltInPlan
from runexp.runtime.callbacks.live import Hooks, LivePhase


class _Average:
    """The average of some parameters; lent out, they hold it, and get their own values back bit for bit."""

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self._parameters = parameters
        self.values: dict[str, Tensor] = {}
        self._own: dict[str, Tensor] = {}

    def take_up(self, values: Mapping[str, Tensor]) -> None:
        """Go on with an average that was saved."""
        self.values = {name: value.to(self._parameters[name].device) for name, value in values.items()}

    @torch.no_grad()
    def move(self, share: float) -> None:
        """Take `share` of what the parameters are now; the first time all of it."""
        for name, parameter in self._parameters.items():
            if name in self.values:
                self.values[name].lerp_(parameter, share)
            else:
                self.values[name] = parameter.detach().clone()

    @torch.no_grad()
    def lend(self, _: View) -> None:
        """Put the average in place."""
        self._own = {name: self._parameters[name].detach().clone() for name in self.values}
        for name, value in self.values.items():
            self._parameters[name].copy_(value)

    @torch.no_grad()
    def take_back(self, _: View) -> None:
        """Put the own values back."""
        for name, value in self._own.items():
            self._parameters[name].copy_(value)
        self._own = {}

    @torch.no_grad()
    def keep(self, _: View) -> None:
        """Put the average in place for good."""
        for name, value in self.values.items():
            self._parameters[name].copy_(value)
        self.values = {}


class Ema:
    """Moves the average after every update."""

    measures = True

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._share = 1 - float(plan.options["decay"])
        self._average = _Average(live.program.trained)
        live.program.watchers.append(self)

    def hooks(self) -> Hooks:
        """The start of the phase, around evaluations, and its end."""
        average = self._average
        return {
            "on_phase_start": lambda _: average.move(1.0),
            "on_evaluation_start": average.lend,
            "on_evaluation_end": average.take_back,
            "on_phase_end": average.keep,
        }

    def before_update(self) -> bool:
        """Nothing against it."""
        return True

    def after_update(self) -> None:
        """Move the average."""
        self._average.move(self._share)

    def state(self) -> Mapping[str, Any]:
        """The average."""
        return {"average": dict(self._average.values)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self._average.take_up(state["average"])


class Swa:
    """Counts the weights at the end of epochs evenly."""

    measures = True

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._from = int(plan.options["from_epoch"])
        self._every = int(plan.options["every_n_epochs"])
        self._average = _Average(live.program.trained)
        self._n_counted = 0

    def hooks(self) -> Hooks:
        """Epoch ends, around evaluations, and the end of the phase."""
        average = self._average
        return {
            "on_epoch_end": self._count,
            "on_evaluation_start": average.lend,
            "on_evaluation_end": average.take_back,
            "on_phase_end": average.keep,
        }

    def state(self) -> Mapping[str, Any]:
        """The average and how many epochs it is of."""
        return {"average": dict(self._average.values), "n_counted": self._n_counted}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self._average.take_up(state["average"])
        self._n_counted = state["n_counted"]

    def _count(self, view: View) -> None:
        if view.epoch >= self._from and (view.epoch - self._from) % self._every == 0:
            self._n_counted += 1
            self._average.move(1 / self._n_counted)
