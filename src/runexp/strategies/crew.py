"""Worker processes of this machine: each is given one job at a time, tells about it, and can be told a word."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from types import TracebackType
from typing import Any, Self

_TICK_S = 0.2


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker is gone, and the job it had with it; `why` says how it ended."""

    why: str


@dataclass(slots=True, eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection
    job: int | None = None


class Crew:
    """Up to `n_workers` processes that run `entry`, a `module:function` that is given a descriptor to listen on.

    Processes are started when there is work for them; one that dies loses its job and is replaced. Every way out ends
    them. As long as one lives it has the descriptors `held` open, such as that of a lock.
    """

    def __init__(
        self, entry: str, n_workers: int, environment: Mapping[str, str], *, held: tuple[int, ...] = ()
    ) -> None:
        self._entry = entry
        self._n_workers = n_workers
        self._environment = environment
        self._held = held
        self._workers: list[_Worker] = []

    @property
    def busy(self) -> tuple[int, ...]:
        """The numbers of the jobs that are worked on."""
        return tuple(worker.job for worker in self._workers if worker.job is not None)

    @property
    def has_room(self) -> bool:
        """Whether one more job would be worked on at once."""
        return len(self.busy) < self._n_workers

    def give(self, number: int, job: object) -> None:
        """Let somebody work on a job; only where there is room."""
        idle = [worker for worker in self._workers if worker.job is None]
        worker = idle[0] if idle else self._hire()
        worker.job = number
        with suppress(OSError):  # one that is gone is found when it is listened to
            worker.connection.send(job)

    def say(self, word: str, number: int | None = None) -> None:
        """Tell a word to who works on a job, or to all who work."""
        for worker in self._workers:
            if worker.job is not None and number in (None, worker.job):
                with suppress(OSError):
                    worker.connection.send(word)

    def told(self) -> Iterator[tuple[int, Any]]:
        """What workers have told by now, with the number of the job; waits a moment where there is nothing."""
        busy = {worker.connection: worker for worker in self._workers if worker.job is not None}
        for connection in wait(list(busy), _TICK_S):
            worker = busy[connection]  # type: ignore[index]  # only connections are waited for
            number = worker.job
            if number is None:
                continue
            try:
                yield number, worker.connection.recv()
            except (EOFError, OSError):
                yield number, self._lost(worker)

    def rest(self, number: int) -> None:
        """The job is done: whoever worked on it is free for another."""
        for worker in self._workers:
            if worker.job == number:
                worker.job = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
        module, _, function = self._entry.partition(":")
        paths = os.pathsep.join(path for path in sys.path if path)
        process = subprocess.Popen(
            [sys.executable, "-c", f"import sys; from {module} import {function} as f; f(int(sys.argv[1]))",
             str(theirs.fileno())],
            pass_fds=[theirs.fileno(), *self._held],
            env={**os.environ, **self._environment, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is for this process, which tells them
        )  # fmt: skip
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _lost(self, worker: _Worker) -> Lost:
        self._workers.remove(worker)
        worker.connection.close()
        code = worker.process.wait()
        return Lost(f"its process ended {f'by signal {-code}' if code < 0 else f'with code {code}'}")
