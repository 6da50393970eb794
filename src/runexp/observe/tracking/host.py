"""Lends a tracker a thread: a run never waits for it but at its end, and then for a limited time."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runexp.events import Event, WarningRaised
from runexp.observe.sink import Stamped
from runexp.observe.tracking.points import WANTED, Plotter
from runexp.observe.tracking.tracker import Point, TrackedRun, Tracker

_MOST_POINTS = 1000  # told at once: as many as MLflow takes
_FLUSH_S = 2.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 300.0
_LIMIT_S, _START_LIMIT_S, _TOTAL_LIMIT_S = 30.0, 120.0, 300.0
_HURRIED_S = 2.0

Job = Callable[[Tracker], object]


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: how long one call may take, and the first with its imports; how long the end of a run waits in all; the
    first pause after a failure. `is_hurried`: whether a person wants the run to be over."""

    call_s: float = _LIMIT_S
    start_s: float = _START_LIMIT_S
    total_s: float = _TOTAL_LIMIT_S
    pause_s: float = _FIRST_PAUSE_S
    is_hurried: Callable[[], bool] = lambda: False


class TrackerHost:
    """A sink that hands the numbers of a run to a tracker, in its own time.

    `make` may import a library and raise what it likes. What the tracker refuses is kept and told again later;
    `problem` says why it last refused, empty where it has everything.
    """

    wants: frozenset[type[Event]] = WANTED

    def __init__(
        self,
        name: str,
        make: Callable[[], Tracker],
        run: TrackedRun,
        *,
        per_batch: bool,
        limits: Limits | None = None,
    ) -> None:
        self.name = name
        self.problem = ""
        self._make = make
        self._run = run
        self._limits = limits or Limits()
        self._plotter = Plotter(per_batch=per_batch)
        self._inbox: queue.SimpleQueue[Stamped | Job | None] = queue.SimpleQueue()
        self._backlog: deque[Stamped | Job] = deque()
        self._points: list[Point] = []
        self._tracker: Tracker | None = None
        self._busy_since = 0.0  # 0: with nothing
        self._n_tries = 0  # of the wish to be done; the thread counts them in `_n_tried`
        self._n_tried = 0
        self._is_given_up = False
        self._told = ""
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name=f"runexp-{name}", daemon=True)
        self._thread.start()

    def receive(self, stamped: Stamped) -> None:
        """Take note of an event; costs the run nothing."""
        self._inbox.put(stamped)

    def close(self) -> None:
        """Nothing is let go of before `finish`."""

    def warnings(self) -> list[Event]:
        """What a person should hear of, each trouble once."""
        if not self.problem and self._is_overdue():
            self.problem = self._no_answer()
        told, self._told = self._told, self.problem
        if not self.problem or told:
            return []
        return [WarningRaised("", f"{self.name} does not take the numbers, the run goes on: {self.problem}")]

    def keep(self, path: Path, name: str) -> None:
        """Hand over a file, or what is in a folder."""
        self._inbox.put(lambda tracker: tracker.keep(path, name))

    def do(self, work: Callable[[], object]) -> None:
        """Have something done in the tracker's thread, in its turn, and again if it fails."""
        self._inbox.put(lambda _: work())

    def finish(self, status: str) -> None:
        """Tell the end, and everything that has not been taken yet; the last that is asked of it."""
        self._inbox.put(lambda tracker: tracker.finish(status))
        self.settle()
        if not self._is_given_up:
            self._inbox.put(None)

    def settle(self) -> None:
        """Wait until all is told, or has been refused once more, or the time is over."""
        if self._is_given_up:
            return
        begun = time.monotonic()
        with self._changed:
            self._n_tries += 1
            wanted = self._n_tries
        self._inbox.put(_nothing)
        with self._changed:
            while self._n_tried < wanted:
                self._changed.wait(0.05)
                longest = _HURRIED_S if self._limits.is_hurried() else self._limits.total_s
                if self._is_overdue() or time.monotonic() - begun > longest:
                    self._is_given_up = True
                    self.problem = self.problem or self._no_answer()
                    return

    def _limit(self) -> float:
        return self._limits.start_s if self._tracker is None else self._limits.call_s

    def _is_overdue(self) -> bool:
        since = self._busy_since
        return bool(since) and time.monotonic() - since > self._limit()

    def _no_answer(self) -> str:
        return f"it did not answer in {self._limit():g} seconds"

    def _work(self) -> None:
        """The life of the thread."""
        paused_until, pause, told_at = 0.0, self._limits.pause_s, 0.0
        is_last = False
        while not is_last and not self._is_given_up:
            is_last = self._take(_FLUSH_S)
            wanted = self._n_tries
            is_urgent = wanted > self._n_tried
            now = time.monotonic()
            if is_urgent or (now >= paused_until and now - told_at >= _FLUSH_S):
                told_at = now
                if self._is_delivered():
                    pause = self._limits.pause_s
                else:
                    paused_until = time.monotonic() + pause
                    pause = min(2 * pause, _LONGEST_PAUSE_S)
            if is_urgent:
                with self._changed:
                    self._n_tried = wanted
                    self._changed.notify_all()

    def _take(self, timeout: float) -> bool:
        """Move what came in to what waits; whether it was the last."""
        try:
            item = self._inbox.get(timeout=timeout)
            while item is not None:
                if item is not _nothing:
                    self._backlog.append(item)
                item = self._inbox.get_nowait()
        except queue.Empty:
            return False
        return True

    def _is_delivered(self) -> bool:
        """Tell what waits, in order, up to what is refused; whether nothing is left."""
        self._busy_since = time.monotonic()
        try:
            tracker = self._started()
            while (self._points or self._backlog) and not self._is_given_up:
                self._busy_since = time.monotonic()
                self._tell(tracker)
        except Exception as error:
            self.problem = _first_line(error)
            return False
        finally:
            self._busy_since = 0.0
        self.problem = ""
        return True

    def _tell(self, tracker: Tracker) -> None:
        """One call of the tracker's; what it refuses stays. Events become points only now, since they are smaller."""
        while self._backlog and len(self._points) < _MOST_POINTS:
            first = self._backlog[0]
            if not isinstance(first, Stamped):
                break
            self._points += self._plotter.points(first)
            self._backlog.popleft()
        if self._points:
            tracker.log(self._points[:_MOST_POINTS])
            del self._points[:_MOST_POINTS]
        elif self._backlog and not isinstance(first := self._backlog[0], Stamped):
            first(tracker)
            self._backlog.popleft()

    def _started(self) -> Tracker:
        if self._tracker is None:
            tracker = self._make()
            if self._is_given_up:
                raise RuntimeError("it took too long to start")
            self._plotter.known.update(tracker.start(self._run) or {})
            self._tracker = tracker
        return self._tracker


def _nothing(_: Tracker) -> None:
    """Wakes the thread."""


def _first_line(error: Exception) -> str:
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0][:300]}" if said else type(error).__name__
