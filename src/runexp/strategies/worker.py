"""A worker process: takes folds one after the other, tells their events, and stops when it is told to."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread

from runexp.diagnostics import SpecError
from runexp.engine.control import Control
from runexp.engine.live import Live
from runexp.runtime.importing import OwnModules
from runexp.runtime.limits import held_to
from runexp.runtime.settings import settled
from runexp.strategies.fold_run import Around, FoldJob, run_fold
from runexp.strategies.processes import Ended

_Jobs = SimpleQueue[tuple[FoldJob, frozenset[type]] | None]


def serve(descriptor: int) -> None:
    """Run folds until nobody is there any more. What they print goes to standard error, as talk does."""
    os.dup2(2, 1)
    connection, control = Connection(descriptor), Control()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: control.interrupt(signal.Signals(number).name))
    jobs: _Jobs = SimpleQueue()
    Thread(target=_listen, args=(connection, control, jobs), daemon=True).start()
    while (given := jobs.get()) is not None:
        job, wants = given
        memory = held_to(replace(job.plan.guards, time=None), control)
        with OwnModules(job.code_folders, job.code_names), settled(job.plan.execution), memory:
            _work(job, Around(control, Live(), wants), connection)


def _listen(connection: Connection, control: Control, jobs: _Jobs) -> None:
    """Jobs go to the queue, a word stops what runs; so does the end of who sent them."""
    while True:
        try:
            told = connection.recv()
        except (EOFError, OSError):
            control.interrupt("SIGTERM")
            jobs.put(None)
            return
        if isinstance(told, str):
            control.interrupt(told)
        else:
            jobs.put(told)


def _work(job: FoldJob, around: Around, connection: Connection) -> None:
    events = run_fold(job, around)
    try:
        while True:
            connection.send(next(events))
    except StopIteration as ended:
        connection.send(_ended(ended.value))


def _ended(error: Exception | None) -> Ended:
    if error is None:
        return Ended()
    diagnostics = tuple(error.diagnostics) if isinstance(error, SpecError) else ()
    return Ended(type(error).__name__, str(error), tuple(getattr(error, "__notes__", ())), diagnostics)
