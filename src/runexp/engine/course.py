"""How far a run has come through its phases, and when that is saved, so that it can go on from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runexp.engine.control import Control
from runexp.engine.protocol import ProgressStore, State
from runexp.events import Event


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where a run goes on: `n_done` phases are over, groups not counted, and `n_passed` moments between phases.

    `phase` and `program` are the state of the next phase and `random` that of its generators, where it had begun;
    `hooks` that of the callbacks around phases. `then` is what has happened by now and was not told.
    """

    n_done: int
    phase: Mapping[str, Any] | None = None
    program: State | None = None
    random: Any = None
    n_passed: int = 0
    hooks: Mapping[str, Any] | None = None
    then: tuple[Event, ...] = ()


class Course:
    """Counts phases, skips those that were over before, and saves where it stands when that is due."""

    def __init__(self, store: ProgressStore | None, control: Control, resumed: Resumed | None) -> None:
        self._store = store
        self._control = control
        self._resumed = resumed
        self._n_done = 0
        self._n_passed = 0
        self._start: Any = None

    def passes(self) -> bool:
        """Count the start or end of a phase or group; whether the run that is gone on with has not told of it."""
        self._n_passed += 1
        return self._resumed is None or self._n_passed > self._resumed.n_passed

    def skips(self) -> bool:
        """Whether the next phase is over already; then it counts as done."""
        if self._resumed is None or self._n_done >= self._resumed.n_done:
            return False
        self._n_done += 1
        self._n_passed += 2
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

    def state(self) -> Mapping[str, Any]:
        """How far it has come."""
        return {"n_done": self._n_done, "n_passed": self._n_passed}

    @property
    def is_due(self) -> bool:
        """Whether the state should be saved at the next moment it can be."""
        return self._store is not None and (self._control.due or bool(self._control.signal))

    def save_start(self, state: Mapping[str, Any]) -> str:
        """Save that the run stands before the phase that was begun; gives a warning, if there is one."""
        return "" if self._store is None else self._store.save(state, None, self._start)

    def save_within(self, state: Mapping[str, Any], program: State) -> str:
        """Save that the run stands within a phase; gives a warning, if there is one."""
        return "" if self._store is None else self._store.save(state, program, self._store.position())

    def save_end(self, state: Mapping[str, Any], program: State) -> str:
        """Save that the run stands after the last epoch of a phase; gives a warning, if there is one."""
        return "" if self._store is None else self._store.save_end(state, program, self._store.position())
