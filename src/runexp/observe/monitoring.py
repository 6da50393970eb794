"""Resources and speed of a run as numbers of its phases, measured now and then in a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

from runexp.engine.live import Live
from runexp.events import BatchesRecorded, EpochStarted, Event, NumbersLogged, PhaseFinished, PhaseStarted
from runexp.observe.resources import Resources
from runexp.observe.sink import Stamped
from runexp.observe.speed import Speed
from runexp.plan.values import FrozenMap
from runexp.results.phases import RESOURCES


class Monitor:
    """A sink that learns how fast batches go, and a companion that tells it, beside what a thread measures.

    Numbers: those of `Resources.look`, every `every_s` seconds and at least once in each phase, and those of `Speed`.
    Folds tell their own speed, since they may run elsewhere: there is no `speed` here then.
    """

    wants: frozenset[type[Event]] = frozenset({BatchesRecorded, EpochStarted, PhaseFinished, PhaseStarted})

    def __init__(self, live: Live, *, every_s: float, speed: Speed | None) -> None:
        self._live = live
        self._every_s = every_s
        self._speed = speed
        self._resources = Resources()
        self._told: deque[Event] = deque()
        self._phase = ""
        self._n_looks = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="runexp-resources", daemon=True)
        self._thread.start()

    def take(self) -> Iterator[Event]:
        """What was measured since the last time."""
        while self._told:
            yield self._told.popleft()

    def receive(self, stamped: Stamped) -> None:
        """Note which phase runs, and how long its batches took."""
        event = stamped.event
        if isinstance(event, PhaseStarted):
            self._phase, self._n_looks = event.phase, 0
        if isinstance(event, PhaseFinished):
            self._phase = ""
        else:
            self._note_speed(event, stamped.time)

    def before(self, event: Event) -> Iterator[Event]:
        """What there is to tell before an event: at the end of a phase at least one look at everything."""
        if isinstance(event, PhaseFinished):
            if not self._n_looks:
                self._look(event.phase)
            self._note_speed(event, 0.0)
        yield from self.take()

    def close(self) -> None:
        """End the thread."""
        self._over.set()
        self._thread.join(timeout=2)

    def _note_speed(self, event: Event, now: float) -> None:
        told = self._speed.note(event, now) if self._speed is not None else None
        if told is not None:
            self._told.append(told)

    def _work(self) -> None:
        while not self._over.wait(self._every_s):
            if self._phase:
                self._look(self._phase)

    def _look(self, phase: str) -> None:
        with self._lock:
            self._n_looks += 1
            self._tell(phase, self._resources.look())

    def _tell(self, phase: str, numbers: dict[str, float]) -> None:
        live = self._live
        step = live.epoch * live.n_batches + live.batch
        where = {"epoch": live.epoch, "batch": live.batch - 1, "step": step}
        self._told.append(NumbersLogged(phase, RESOURCES, "", metrics=FrozenMap(numbers), **where))
