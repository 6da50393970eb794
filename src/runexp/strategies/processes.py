"""Folds in worker processes of this machine: their events come in the order of the folds, as if run in turn (S-47)."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.control import LimitExceeded
from runexp.observe.sink import Told
from runexp.strategies.crew import Crew, Lost
from runexp.strategies.fold_run import Around, FoldJob, finished, run_fold


@dataclass(frozen=True, slots=True)
class Ended:
    """How a fold ended in its process: what it failed of, as plain data."""

    kind: str = ""
    message: str = ""
    notes: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()

    def as_error(self) -> Exception | None:
        """The error of the fold, in this process."""
        if not self.kind:
            return None
        error = SpecError(self.diagnostics) if self.diagnostics else RuntimeError(f"{self.kind}: {self.message}")
        for note in self.notes:
            error.add_note(note)
        return error


def ended_by(error: Exception | None) -> Ended:
    """How a fold ended that failed of this, or of nothing."""
    if error is None:
        return Ended()
    diagnostics = tuple(error.diagnostics) if isinstance(error, SpecError) else ()
    return Ended(type(error).__name__, str(error), tuple(getattr(error, "__notes__", ())), diagnostics)


@dataclass(slots=True)
class _Inbox:
    """What has come of one fold and was not passed on yet."""

    events: deque[Told] = field(default_factory=deque)
    ended: Ended | None = None


def run_in_processes(
    jobs: Sequence[FoldJob], around: Around, *, n_workers: int, lock: int | None = None
) -> Iterator[tuple[FoldJob, Generator[Told, None, Exception | None]]]:
    """Each job with its events, in the order of the jobs; all of them run at once, as far as there are workers.

    Folds that are over are told again from their records. A worker that dies fails its fold and is replaced. Every way
    out ends the processes; as long as one lives it holds `lock`, the descriptor of the run's lock.
    """
    n_wanted = min(n_workers or n_processors(), len(jobs))
    left = [_sharing_threads(job, n_wanted) for job in jobs if not job.is_over]
    with Crew("runexp.strategies.worker:serve", n_wanted, {}, held=() if lock is None else (lock,)) as crew:
        turns = _Turns(crew, left, around)
        for job in jobs:
            if not turns.is_given(job.fold.index):
                yield job, run_fold(job, around)
                continue
            if around.control.signal and not turns.has_begun(job.fold.index):
                return
            yield job, turns.events_of(job.fold.index)


def n_processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _sharing_threads(job: FoldJob, n_workers: int) -> FoldJob:
    if job.plan.execution.threads:
        return job
    threads = max(1, n_processors() // n_workers)
    return replace(job, plan=replace(job.plan, execution=replace(job.plan.execution, threads=threads)))


class _Turns:
    """Gives folds to the workers in order, and keeps what they have told until its turn comes."""

    def __init__(self, crew: Crew, jobs: Sequence[FoldJob], around: Around) -> None:
        self._crew = crew
        self._jobs = {job.fold.index: job for job in jobs}
        self._waiting = deque(self._jobs)
        self._around = around
        self._inboxes = {index: _Inbox() for index in self._jobs}
        self._begun: set[int] = set()
        self._is_stopping = False
        self._give_out()

    def is_given(self, index: int) -> bool:
        """Whether this fold is for the workers."""
        return index in self._inboxes

    def has_begun(self, index: int) -> bool:
        """Whether a worker was given this fold."""
        return index in self._begun

    def events_of(self, index: int) -> Generator[Told, None, Exception | None]:
        """The events of one fold as they come; what others tell meanwhile is kept."""
        inbox = self._inboxes[index]
        while inbox.ended is None or inbox.events:
            while inbox.events:
                yield inbox.events.popleft()
            if inbox.ended is None:
                self._listen()
        return inbox.ended.as_error()

    def _give_out(self) -> None:
        while self._waiting and self._crew.has_room and not self._around.control.signal:
            index = self._waiting.popleft()
            self._begun.add(index)
            self._crew.give(index, (self._jobs[index], self._around.wants))

    def _listen(self) -> None:
        if self._around.control.signal and not self._is_stopping:
            self._is_stopping = True
            self._crew.say(self._around.control.signal)
        for index, told in self._crew.told():
            self._take(index, told)
        self._give_out()

    def _take(self, index: int, told: Told | Ended | Lost) -> None:
        inbox = self._inboxes[index]
        if isinstance(told, Lost):
            fold = self._jobs[index].fold
            inbox.events.append(finished(fold, "failed", told.why, fold.label))
            inbox.ended = Ended("ProcessLost", told.why, (f"in {fold.label}",))
        elif isinstance(told, Ended):
            inbox.ended = told
            self._crew.rest(index)
            if told.kind == LimitExceeded.__name__:
                self._around.control.exceed("guards.memory", LimitExceeded(told.message))
        else:
            inbox.events.append(told)
