"""Runs of another process, followed from their folders. Reads alone: nothing in a folder is written or locked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from runexp.api.stored_sweep import as_they_stand
from runexp.events import (
    FoldFinished,
    FoldStarted,
    PhaseFinished,
    PhaseStarted,
    RefitFinished,
    RefitStarted,
    RunFinished,
)
from runexp.observe.following import GrowingLog
from runexp.observe.sink import Stamped
from runexp.results.run_record import RunRecord
from runexp.results.trials import SweepResults
from runexp.store.index import as_it_stands
from runexp.store.run_files import EVENTS, read_record

_LAST_LOOKS = 3


def follow(folder: Path, *, every_s: float, sleep: Callable[[float], None] = time.sleep) -> Iterator[Stamped | None]:
    """The events of a run as they come, from the first; None whenever there is nothing new.

    Ends with the run, and where it is found dead: its status no longer says `running`, or nobody holds it.
    """
    log = GrowingLog(folder / EVENTS)
    looks = _LAST_LOOKS
    while looks:
        has_news = False
        for stamped in log.news():
            has_news = True
            yield stamped
            if isinstance(stamped.event, RunFinished) and _how_it_stands(folder).status != "running":
                return
        if not has_news:
            # A run that ended may have written after the log was read: what it wrote is read before it is left.
            looks = _LAST_LOOKS if _how_it_stands(folder).status == "running" else looks - 1
            yield None
            sleep(every_s if looks == _LAST_LOOKS else min(every_s, 0.1))


def _how_it_stands(folder: Path) -> RunRecord:
    return as_it_stands(read_record(folder, ""))


def follow_trials(
    folder: Path, *, every_s: float, sleep: Callable[[float], None] = time.sleep
) -> Iterator[tuple[SweepResults, int]]:
    """The trials of a sweep as they stand, look by look, and how many there will be; ends with the sweep."""
    while True:
        results, n_trials = as_they_stand(folder)
        yield results, n_trials
        if results.status != "running":
            return
        sleep(every_s)


def follow_folds(
    folder: Path, *, every_s: float, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Stamped | None]:
    """The events of all folds as they come, also where they run at once; None whenever there is nothing new.

    Ends with the run. How folds began and ended is told of all of them in the end, if it could not be before.
    """
    logs = _FoldLogs(folder / "progress")
    told: set[tuple[type, str]] = set()
    while True:
        is_over = _how_it_stands(folder).status != "running"
        for stamped in logs.news():
            told.add(_place_of(stamped))
            yield stamped
        if is_over:
            break
        yield None
        sleep(every_s)
    for stamped in GrowingLog(folder / EVENTS).news():  # what folds left below `progress` may be gone by now
        if isinstance(stamped.event, _ENDS) and _place_of(stamped) not in told:
            yield stamped


_ENDS = (FoldStarted, FoldFinished, RefitStarted, RefitFinished, PhaseStarted, PhaseFinished)


def _place_of(stamped: Stamped) -> tuple[type, str]:
    event = stamped.event
    return type(event), str(getattr(event, "phase", "") or getattr(event, "group", ""))


class _FoldLogs:
    """The logs that the folds of a run keep while it goes on, new ones among them at each look."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._logs: dict[Path, GrowingLog] = {}

    def news(self) -> Iterator[Stamped]:
        """What they have gained, fold by fold."""
        for path in self._folder.glob(f"*/{EVENTS}"):
            self._logs.setdefault(path, GrowingLog(path))
        for path in sorted(self._logs, key=lambda path: (len(path.parent.name), path.parent.name)):
            yield from self._logs[path].news()
