"""A run of another process, followed from its folder. Reads alone: nothing in the folder is written or locked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from runexp.events import RunFinished
from runexp.observe.following import GrowingLog
from runexp.observe.sink import Stamped
from runexp.results.run_record import RunRecord
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
