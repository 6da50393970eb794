"""Weights that are held for part of a phase (S-12)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from runexp.diagnostics import Diagnostic, SpecError, did_you_mean
from runexp.plan.phases import BuiltInPlan
from runexp.runtime.callbacks.live import Hooks, LivePhase
from runexp.runtime.optim import matches


class _Hold:
    """Holds the parameters of the phase that a pattern takes in, and lets them go again.

    A part whose parameters are all held, such as a batch normalisation, keeps its statistics too.
    """

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self._plan = plan
        self._live = live
        self._trained = live.program.trained

    def check(self, patterns: Sequence[str]) -> None:
        """Raise `SpecError` for a pattern that takes in nothing that trains."""
        for pattern in patterns:
            if not any(matches(pattern, name) for name in self._trained):
                hint = did_you_mean(pattern, tuple(self._trained), kind="parameters that train")
                raise self._wrong(f"`{pattern}` takes in no parameter that trains", hint)
        held = [name for name in self._trained if any(matches(pattern, name) for pattern in patterns)]
        if len(held) == len(self._trained):
            raise self._wrong(f"`{self._plan.name}` holds all that `{self._live.label}` trains", "let some of it move")

    def turn(self, patterns: Sequence[str], *, is_held: bool) -> None:
        """Hold or let go."""
        for name, parameter in self._trained.items():
            if any(matches(pattern, name) for pattern in patterns):
                parameter.requires_grad_(not is_held)
                parameter.grad = None
        for module in {name.partition(".")[0] for name in self._trained}:
            _set_modes(self._live.graph.modules[module])

    def _wrong(self, message: str, hint: str) -> SpecError:
        origin = self._plan.origin
        return SpecError([Diagnostic("wrong-value", message, origin.span, help=hint, path=origin.path)])


class _ByEpoch(ABC):
    """Decides at the start of every epoch what is held."""

    measures = False

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._hold = _Hold(plan, live)
        self._now = -1

    def hooks(self) -> Hooks:
        """The start of every epoch."""
        return {"on_epoch_start": lambda view: self._go_to(view.epoch)}

    def state(self) -> Mapping[str, Any]:
        """The epoch it was last told of."""
        return {"epoch": self._now}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Hold what was held then."""
        if state["epoch"] >= 0:
            self._go_to(state["epoch"])

    def _go_to(self, epoch: int) -> None:
        self._now = epoch
        self._turn(epoch)

    @abstractmethod
    def _turn(self, epoch: int) -> None:
        """Hold what is held in an epoch, and let the rest train."""


class _AtEpoch(_ByEpoch):
    """Holds from an epoch on, or until one."""

    def __init__(self, plan: BuiltInPlan, live: LivePhase, *, is_held_first: bool) -> None:
        super().__init__(plan, live)
        self._patterns: tuple[str, ...] = tuple(plan.options["nodes"])
        self._epoch = int(plan.options["epoch"])
        self._is_held_first = is_held_first
        self._hold.check(self._patterns)

    def _turn(self, epoch: int) -> None:
        self._hold.turn(self._patterns, is_held=(epoch < self._epoch) == self._is_held_first)


class GradualUnfreezing(_ByEpoch):
    """Lets one node after another train."""

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        super().__init__(plan, live)
        trained = dict.fromkeys(name.partition(".")[0] for name in live.program.trained)
        order = plan.options["order"] or [name for name in reversed(live.graph.plans) if name in trained]
        self._order = tuple(order)
        self._every = int(plan.options["every_n_epochs"])
        self._hold.check(self._order[1:])

    def _turn(self, epoch: int) -> None:
        n_training = 1 + epoch // self._every
        for index, name in enumerate(self._order):
            self._hold.turn((name,), is_held=index >= n_training)


def freeze(plan: BuiltInPlan, live: LivePhase) -> _AtEpoch:
    """Holds weights from an epoch on."""
    return _AtEpoch(plan, live, is_held_first=False)


def unfreeze(plan: BuiltInPlan, live: LivePhase) -> _AtEpoch:
    """Holds weights until an epoch."""
    return _AtEpoch(plan, live, is_held_first=True)


def _set_modes(module: nn.Module) -> None:
    for part in module.modules():
        own = list(part.parameters(recurse=False))
        if own:
            part.training = any(parameter.requires_grad for parameter in own)
