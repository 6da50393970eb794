"""Resources and speed of a run as numbers of its phases, measured now and then in a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

from runexp.engine.live import Live
from runexp.events import BatchesRecorded, EpochStarted, Event, NumbersLogged, PhaseFinished, PhaseStarted
from runexp.observe.resources import Resources
from runexp.observe.sink import Stamped
from runexp.plan.values import FrozenMap
from runexp.results.phases import RESOURCES


class Monitor:
    """A sink that learns how fast batches go, and a companion that tells it, beside what a thread measures.

    Numbers: those of `Resources.look`; `samples_per_second` and `steps_per_second` of training alone, evaluations left
    out; `data_wait_percent`, the share of that time that training waited for its rows. Every `every_s` seconds at most,
    and at least once in each phase. `pace` gives the seconds trained and waited so far; without it speeds are those of
    whole epochs.
    """

    wants: frozenset[type[Event]] = frozenset({BatchesRecorded, EpochStarted, PhaseFinished, PhaseStarted})

    def __init__(self, live: Live, *, every_s: float, pace: Callable[[], tuple[float, float]] | None) -> None:
        self._live = live
        self._every_s = every_s
        self._pace = pace
        self._resources = Resources()
        self._told: deque[Event] = deque()
        self._phase = ""
        self._epoch_began, self._passed = 0.0, (0.0, 0.0)
        self._speed: dict[str, float] = {}
        self._speed_told_at = float("-inf")
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
        """Note when an epoch began, and how long its batches took."""
        match stamped.event:
            case PhaseStarted(phase=phase):
                self._phase, self._n_looks, self._speed = phase, 0, {}
                self._speed_told_at = float("-inf")
            case EpochStarted():
                self._epoch_began = stamped.time
            case BatchesRecorded():
                self._note_speed(stamped.event, stamped.time)
            case PhaseFinished():
                self._phase = ""

    def before(self, event: Event) -> Iterator[Event]:
        """What there is to tell before an event: at the end of a phase at least one look at everything."""
        if isinstance(event, PhaseFinished) and not self._n_looks:
            self._look(event.phase)
        if isinstance(event, PhaseFinished) and self._speed:
            self._tell(event.phase, self._speed)
            self._speed = {}
        yield from self.take()

    def close(self) -> None:
        """End the thread."""
        self._over.set()
        self._thread.join(timeout=2)

    def _note_speed(self, event: BatchesRecorded, now: float) -> None:
        seconds, waiting = now - self._epoch_began, {}
        if self._pace is not None:
            before, self._passed = self._passed, self._pace()
            seconds, waited = (now_s - then_s for now_s, then_s in zip(self._passed, before, strict=True))
            waiting = {"data_wait_percent": waited / max(seconds, 1e-9) * 100}
        seconds = max(seconds, 1e-9)
        speed = {"samples_per_second": sum(event.n_rows) / seconds, "steps_per_second": len(event.n_rows) / seconds}
        self._speed = speed | waiting
        if now - self._speed_told_at >= self._every_s:
            self._speed_told_at = now
            self._tell(event.phase, self._speed)
            self._speed = {}

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
