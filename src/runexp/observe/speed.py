"""How fast batches go: samples and steps a second of training alone, and the share of it that waits for rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runexp.events import BatchesRecorded, EpochStarted, Event, NumbersLogged, PhaseFinished, PhaseStarted
from runexp.plan.values import FrozenMap
from runexp.results.phases import RESOURCES


class Speed:
    """Learns from events how fast batches go, and tells it every `every_s` seconds at most, and at the end of a phase.

    `samples_per_second`, `steps_per_second`; and `data_wait_percent` where `pace` gives the seconds trained and waited
    so far: evaluations are left out then. Without it speeds are those of whole epochs.
    """

    def __init__(self, *, every_s: float, pace: Callable[[], tuple[float, float]] | None) -> None:
        self._every_s = every_s
        self._pace = pace
        self._epoch_began, self._passed = 0.0, (0.0, 0.0)
        self._n_steps = 0
        self._held: NumbersLogged | None = None
        self._told_at = float("-inf")

    def note(self, event: Event, now: float) -> NumbersLogged | None:
        """What is due with an event, at `now` seconds: after the batches of an epoch, before the end of a phase."""
        match event:
            case PhaseStarted():
                self._held, self._told_at, self._n_steps = None, float("-inf"), 0
            case EpochStarted():
                self._epoch_began = now
            case BatchesRecorded():
                self._n_steps += len(event.n_rows)
                self._held = self._told(event, self._measured(event, now))
                if now - self._told_at >= self._every_s:
                    self._told_at = now
                    return self._handed_over()
            case PhaseFinished():
                return self._handed_over()
        return None

    def _handed_over(self) -> NumbersLogged | None:
        held, self._held = self._held, None
        return held

    def _told(self, event: BatchesRecorded, numbers: Mapping[str, float]) -> NumbersLogged:
        batch = event.first_batch + len(event.n_rows) - 1
        return NumbersLogged(event.phase, RESOURCES, "", event.epoch, batch, self._n_steps, FrozenMap(numbers))

    def _measured(self, event: BatchesRecorded, now: float) -> Mapping[str, float]:
        seconds, waiting = now - self._epoch_began, {}
        if self._pace is not None:
            before, self._passed = self._passed, self._pace()
            seconds, waited = (now_s - then_s for now_s, then_s in zip(self._passed, before, strict=True))
            waiting = {"data_wait_percent": waited / max(seconds, 1e-9) * 100}
        seconds = max(seconds, 1e-9)
        speed = {"samples_per_second": sum(event.n_rows) / seconds, "steps_per_second": len(event.n_rows) / seconds}
        return speed | waiting
