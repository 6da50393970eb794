"""Callbacks around phases and groups: when they are called, and what they see (S-31)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

from runexp.engine.view import load_states, states_of
from runexp.events import CallbackReturned, Event, NumbersLogged, WarningRaised
from runexp.plan.values import FrozenMap, freeze

ExperimentHook = Literal[
    "on_experiment_start", "on_group_start", "on_phase_start", "on_phase_end", "on_group_end", "on_experiment_end",
    "on_exception",
]  # fmt: skip
"""The moments of an experiment, and that of a failure."""


class ExperimentView(Protocol):
    """The running experiment as a callback sees it; `where` is the label of the phase or group, empty for neither."""

    where: str
    error: Exception | None

    @property
    def results(self) -> Mapping[str, Mapping[str, float]]:
        """The final numbers of the phases that have ended, by label."""

    def log(self, metrics: Mapping[str, float]) -> None:
        """Report numbers under their names."""

    def report(self, result: object) -> None:
        """Keep plain data that a hook gave back."""

    def warn(self, message: str) -> None:
        """Tell a person something that stops nothing."""

    def request_stop(self, by: str, reason: str) -> None:
        """Run none of the phases to come."""


class ExperimentCallback(Protocol):
    """Something that stands around phases and groups."""

    name: str

    def hooks(self) -> Mapping[ExperimentHook, Callable[[ExperimentView], object]]:
        """The hooks it wants."""


class ExperimentHooks:
    """Calls the hooks in the order written; it is the view its callbacks see."""

    def __init__(self, callbacks: Sequence[ExperimentCallback]) -> None:
        self.where = ""
        self.error: Exception | None = None
        self.stopped_by = ""
        self.reason = ""
        self.results: dict[str, Mapping[str, float]] = {}
        self._all = callbacks
        self._callbacks = [(callback.name, callback.hooks()) for callback in callbacks]
        self._now: tuple[str, ExperimentHook] = ("", "on_experiment_start")
        self._outbox: deque[Event] = deque()

    def fire(self, hook: ExperimentHook, where: str = "") -> Iterator[Event]:
        """Call a hook, and pass on what its callbacks reported."""
        self.where = where
        for name, hooks in self._callbacks:
            if hook in hooks:
                self._now = (name, hook)
                hooks[hook](self)
            while self._outbox:
                yield self._outbox.popleft()

    def fail(self, error: Exception, where: str) -> Iterator[Event]:
        """Let callbacks see what the experiment failed of; what they raise themselves is only told."""
        self.error = error
        try:
            yield from self.fire("on_exception", where)
        except Exception as another:
            yield WarningRaised(where, f"callback `{self._now[0]}` failed in on_exception: {another}")

    def state(self) -> Mapping[str, Any]:
        """What its callbacks remember, and what they have been told and asked for."""
        results = {label: dict(numbers) for label, numbers in self.results.items()}
        asked = {"stopped_by": self.stopped_by, "reason": self.reason}
        return {"callbacks": states_of(self._all), "results": results, **asked}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""
        load_states(self._all, state["callbacks"])
        self.results = dict(state["results"])
        self.stopped_by, self.reason = state["stopped_by"], state["reason"]

    def log(self, metrics: Mapping[str, float]) -> None:
        """Report numbers under their names."""
        self._outbox.append(NumbersLogged(self.where, *self._now, -1, -1, 0, FrozenMap(metrics)))

    def report(self, result: object) -> None:
        """Keep plain data that a hook gave back."""
        self._outbox.append(CallbackReturned(self.where, *self._now, -1, -1, freeze(result)))

    def warn(self, message: str) -> None:
        """Tell a person something that stops nothing."""
        self._outbox.append(WarningRaised(self.where, message))

    def request_stop(self, by: str, reason: str) -> None:
        """Run none of the phases to come."""
        self.stopped_by, self.reason = self.stopped_by or by, self.reason or reason
