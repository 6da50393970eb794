"""Folds in worker processes of this machine: their events come in the order of the folds, as if run in turn (S-47)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, Pipe, wait

from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.control import LimitExceeded
from runexp.events import Event, FoldFinished
from runexp.strategies.fold_run import Around, FoldJob

_ENTRY = "import sys; from runexp.strategies.worker import serve; serve(int(sys.argv[1]))"
_TICK_S = 0.2


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


@dataclass(slots=True, eq=False)
class _Worker:
    """One process and the fold it works on."""

    process: subprocess.Popen[bytes]
    connection: Connection
    job: FoldJob | None = None


@dataclass(slots=True)
class _Inbox:
    """What has come of one fold and was not passed on yet."""

    events: deque[Event] = field(default_factory=deque)
    ended: Ended | None = None


def run_in_processes(
    jobs: Sequence[FoldJob], around: Around, *, n_workers: int
) -> Iterator[tuple[FoldJob, Generator[Event, None, Exception | None]]]:
    """Each job with its events, in the order of the jobs; all of them run at once, as far as there are workers.

    A worker that dies fails its fold and is replaced. Every way out ends the processes.
    """
    n_wanted = min(n_workers or n_processors(), len(jobs))
    crew = _Crew([_sharing_threads(job, n_wanted) for job in jobs], around, n_wanted)
    try:
        for job in jobs:
            if around.control.signal and not crew.has_begun(job.fold.index):
                return
            yield job, crew.events_of(job.fold.index)
    finally:
        crew.dismiss()


def n_processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _sharing_threads(job: FoldJob, n_workers: int) -> FoldJob:
    if job.plan.execution.threads:
        return job
    threads = max(1, n_processors() // n_workers)
    return replace(job, plan=replace(job.plan, execution=replace(job.plan.execution, threads=threads)))


class _Crew:
    """The workers, what is still to do, and what they have told."""

    def __init__(self, jobs: Sequence[FoldJob], around: Around, n_workers: int) -> None:
        self._waiting = deque(jobs)
        self._around = around
        self._inboxes = {job.fold.index: _Inbox() for job in jobs}
        self._begun: set[int] = set()
        self._is_stopping = False
        self._workers = [self._hire() for _ in range(n_workers)]

    def has_begun(self, index: int) -> bool:
        """Whether a worker was given this fold."""
        return index in self._begun

    def events_of(self, index: int) -> Generator[Event, None, Exception | None]:
        """The events of one fold as they come; what others tell meanwhile is kept."""
        inbox = self._inboxes[index]
        while inbox.ended is None or inbox.events:
            while inbox.events:
                yield inbox.events.popleft()
            if inbox.ended is None:
                self._listen()
        return inbox.ended.as_error()

    def dismiss(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.connection.close()
            worker.process.terminate()
        for worker in self._workers:
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(5)
                continue
            worker.process.kill()
            worker.process.wait()

    def _hire(self) -> _Worker:
        ours, theirs = Pipe()
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
        process = subprocess.Popen(
            [sys.executable, "-c", _ENTRY, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is for this process, which tells them
        )
        theirs.close()
        worker = _Worker(process, ours)
        self._give(worker)
        return worker

    def _give(self, worker: _Worker) -> None:
        worker.job = None
        if self._waiting and not self._around.control.signal:
            worker.job = self._waiting.popleft()
            self._begun.add(worker.job.fold.index)
            with suppress(OSError):  # one that is gone is found when it is listened to
                worker.connection.send((worker.job, self._around.wants))

    def _listen(self) -> None:
        busy = {worker.connection: worker for worker in self._workers if worker.job is not None}
        if self._around.control.signal and not self._is_stopping:
            self._is_stopping = True
            for connection in busy:
                with suppress(OSError):
                    connection.send(self._around.control.signal)
        ready = wait(list(busy), _TICK_S)
        for worker in busy.values():
            if worker.connection in ready:
                self._take(worker)

    def _take(self, worker: _Worker) -> None:
        assert worker.job is not None
        inbox = self._inboxes[worker.job.fold.index]
        try:
            told = worker.connection.recv()
        except (EOFError, OSError):
            self._lose(worker, worker.job, inbox)
            return
        if isinstance(told, Ended):
            inbox.ended = told
            if told.kind == LimitExceeded.__name__:
                self._around.control.exceed("guards.memory", LimitExceeded(told.message))
            self._give(worker)
        else:
            inbox.events.append(told)

    def _lose(self, worker: _Worker, job: FoldJob, inbox: _Inbox) -> None:
        code = worker.process.wait()
        message = f"its process ended {f'by signal {-code}' if code < 0 else f'with code {code}'}"
        inbox.events.append(FoldFinished(job.fold.index, job.fold.label, "failed", message, job.fold.label))
        inbox.ended = Ended("ProcessLost", message, (f"in {job.fold.label}",))
        worker.connection.close()
        self._workers.remove(worker)
        if self._waiting:
            self._workers.append(self._hire())
