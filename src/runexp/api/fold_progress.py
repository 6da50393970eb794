"""What each fold has told and where it stands, in files of its own: a run of folds that was broken off goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runexp.api.progress import Progress, newest, restore, saved_mark
from runexp.api.redaction import hiding
from runexp.engine.control import Control
from runexp.engine.course import Resumed
from runexp.engine.protocol import ProgressStore
from runexp.events import Event
from runexp.observe.event_log import EventLog, Mark, read_events
from runexp.observe.sink import Stamped, Timed, wanted
from runexp.plan.experiment import Plan
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.source import Document
from runexp.store.atomic import make_folders, write_atomically
from runexp.store.checkpoints import CheckpointFolder
from runexp.store.writer import Writer

_OVER = "over"


class FoldRecord:
    """The record of one fold below `progress/`: its own log of events, and the newest states of what runs.

    No secret of the document is written. A fold that is over has a mark beside its log, and no states; it is not run
    again.
    """

    def __init__(self, folder: Path, *, save_every_s: float, document: Document | None = None) -> None:
        self._path = folder
        self._events = folder / "events.jsonl"
        self._states = CheckpointFolder(folder)
        self._save_every_s = save_every_s
        self._document = document
        self._saved: Path | None = None
        self._log: EventLog | None = None
        self._sequence = 0
        self.problems: list[str] = []

    @property
    def is_over(self) -> bool:
        """Whether the fold has run to its end and all it leaves is on file."""
        return (self._path / _OVER).is_file()

    @property
    def has_begun(self) -> bool:
        """Whether it has told anything."""
        return self._events.is_file()

    def told(self) -> Iterator[Timed]:
        """Everything the fold has told."""
        if not self.has_begun:
            return iter(())
        return (Timed(stamped.time, stamped.event) for stamped in read_events(self._events))

    def open(self) -> tuple[Timed, ...]:
        """Go on where the newest whole state was saved, else begin anew; gives what was told before."""
        self._saved, damaged = newest(self._states, self._events)
        self.problems += damaged
        mark = saved_mark(self._saved) if self._saved else Mark(0, 0) if self._events.exists() else None
        before = [stamped for stamped in read_events(self._events) if stamped.sequence < mark.sequence] if mark else []
        make_folders(self._path)
        self._log = EventLog(self._events, mark)
        self._sequence = mark.sequence if mark else 0
        return tuple(Timed(stamped.time, stamped.event) for stamped in before)

    def restore(self, plan: Plan, runtime: TorchRuntime) -> Resumed | None:
        """Set the runtime back to the state that is gone on from; None where there is none."""
        if self._saved is None:
            return None
        resumed, lost = restore(self._saved, plan, runtime)
        self.problems += lost
        return resumed

    def tell(self, event: Event) -> Timed:
        """Note an event, and when it was. A log that cannot be written ends early: the fold is then run again."""
        now = time.time()
        log = self._log
        if log is not None and type(event) in wanted(log):
            try:
                hiding([log], self._document)[0].receive(Stamped(self._sequence, now, event))
                self._sequence += 1
            except OSError as error:
                self._log = None
                self.problems.append(f"this fold could not be gone on with: {error}")
                with suppress(OSError):
                    log.close()
        return Timed(now, event)

    @contextmanager
    def saving(self, runtime: TorchRuntime, control: Control) -> Iterator[ProgressStore | None]:
        """Where states go while the fold runs."""
        if self._log is None:
            yield None
            return
        progress = Progress(self._states, runtime, self._log, control, writer=Writer())
        with progress.every(self._save_every_s):
            yield progress

    def close(self, *, is_over: bool = False) -> None:
        """End the record; of a fold that is over, nothing is gone on from any more."""
        log, self._log = self._log, None
        if log is None:
            return
        with suppress(OSError):  # without the mark a run that goes on runs this fold again, and that is all
            log.close()
            if is_over:
                write_atomically(self._path / _OVER, "")
                for name in self._states.names():
                    self._states.remove(name)
