"""Keeps a run's status up to date for whoever looks from outside."""

from __future__ import annotations

from typing import Literal, Protocol

from runexp.events import EpochFinished, Event, PhaseFinished, PhaseStarted, RunFinished, RunStarted
from runexp.observe.sink import Stamped

_INTERVAL_S = 1.0


class Update(Protocol):
    """Where the status goes; `epoch` None is outside of epochs, `step` counts within the phase."""

    def __call__(
        self,
        state: Literal["running", "completed", "stopped", "failed", "interrupted"],
        *,
        phase: str,
        epoch: int | None,
        step: int,
        error: str,
        where: str,
    ) -> None:
        """Replace the status; `OSError` if it cannot be written."""


class StatusSink:
    """Gives the status at every start of a phase, at most once a second at epoch ends, and at the end."""

    wants: frozenset[type[Event]] = frozenset({RunStarted, PhaseStarted, EpochFinished, PhaseFinished, RunFinished})

    def __init__(self, update: Update) -> None:
        self._update = update
        self._phase = ""
        self._epoch: int | None = None
        self._step = 0
        self._given_at = float("-inf")

    def receive(self, stamped: Stamped) -> None:
        """Note the position; give the status where it is due."""
        event = stamped.event
        if isinstance(event, RunFinished):
            self._give(event)
            return
        self._note(event)
        is_due = stamped.time - self._given_at >= _INTERVAL_S
        if isinstance(event, (RunStarted, PhaseStarted)) or (isinstance(event, EpochFinished) and is_due):
            self._give_if_possible(stamped.time)

    def close(self) -> None:
        """Nothing is held."""

    def _note(self, event: Event) -> None:
        if isinstance(event, PhaseStarted):
            self._phase, self._epoch, self._step = event.phase, None, 0
        elif isinstance(event, EpochFinished):
            self._epoch, self._step = event.epoch, event.step
        elif isinstance(event, PhaseFinished):
            self._step = event.n_steps

    def _give_if_possible(self, now: float) -> None:
        try:
            self._give(None)
        except OSError:
            return  # the next status says all of it again, and the last one is given without this mercy
        self._given_at = now

    def _give(self, end: RunFinished | None) -> None:
        self._update(
            end.status if end else "running",
            phase=self._phase,
            epoch=self._epoch,
            step=self._step,
            error=end.error if end else "",
            where=end.where if end else "",
        )
