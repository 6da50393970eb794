"""How far a run has come through its phases, and when that is saved, so that it can go on from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runexp.engine.control import Control
from runexp.engine.protocol import ProgressStore, State
from runexp.engine.view import Callback, Stateful


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where a run goes on: `n_done` phases are over, groups not counted. `phase` and `program` are the state of the
    next one and `random` that of its generators, where it had begun."""

    n_done: int
    phase: Mapping[str, Any] | None = None
    program: State | None = None
    random: Any = None


class Course:
    """Counts phases, skips those that were over before, and saves where it stands when that is due."""

    def __init__(self, store: ProgressStore | None, control: Control, resumed: Resumed | None) -> None:
        self._store = store
        self._control = control
        self._resumed = resumed
        self._n_done = 0
        self._start: Any = None

    @property
    def is_new(self) -> bool:
        """Whether what comes next, or has just ended, has not been told by the run that is gone on with."""
        return self._resumed is None or self._n_done > self._resumed.n_done

    def skips(self) -> bool:
        """Whether the next phase is over already; then it counts as done."""
        if self._resumed is None or self._n_done >= self._resumed.n_done:
            return False
        self._n_done += 1
        return True

    def begin(self) -> Resumed | None:
        """Remember where the next phase begins; gives its state if it had begun before."""
        if self._resumed is not None and self._n_done == self._resumed.n_done and self._resumed.phase is not None:
            return self._resumed
        self._start = self._store.position() if self._store else None
        return None

    def end(self) -> None:
        """The phase is over."""
        self._n_done += 1

    @property
    def is_due(self) -> bool:
        """Whether the state should be saved at the next moment it can be."""
        return self._store is not None and (self._control.due or bool(self._control.signal))

    def save_start(self) -> str:
        """Save that the run stands before the phase that was begun; gives a warning, if there is one."""
        if self._store is None:
            return ""
        return self._store.save({"n_done": self._n_done, "phase": None}, None, self._start)

    def save_within(self, phase: Mapping[str, Any], program: State) -> str:
        """Save that the run stands within a phase; gives a warning, if there is one."""
        if self._store is None:
            return ""
        state = {"n_done": self._n_done, "phase": phase}
        return self._store.save(state, program, self._store.position())


def states_of(callbacks: Sequence[Callback]) -> list[Mapping[str, Any]]:
    """What each callback needs in order to go on."""
    return [callback.state() if isinstance(callback, Stateful) else {} for callback in callbacks]


def load_states(callbacks: Sequence[Callback], states: Sequence[Mapping[str, Any]]) -> None:
    """Give each callback back what `states_of` took."""
    for callback, state in zip(callbacks, states, strict=True):
        if isinstance(callback, Stateful):
            callback.load_state(state)
