"""A worker process: takes folds one after the other, tells their events, and stops when it is told to."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread

from runexp.engine.control import Control
from runexp.engine.live import Live
from runexp.observe.sink import Told
from runexp.runtime.importing import OwnModules
from runexp.runtime.limits import held_to
from runexp.runtime.settings import settled
from runexp.strategies.fold_run import Around, FoldJob, run_fold
from runexp.strategies.processes import Ended, ended_by

_Jobs = SimpleQueue[tuple[FoldJob, frozenset[type]]]


def serve(descriptor: int) -> None:
    """Run folds as long as somebody is there to send them. What they print goes to standard error, as talk does."""
    os.dup2(2, 1)
    connection, control = Connection(descriptor), Control()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda number, _: control.interrupt(signal.Signals(number).name))
    jobs: _Jobs = SimpleQueue()
    Thread(target=_listen, args=(connection, control, jobs), daemon=True).start()
    while True:
        job, wants = jobs.get()
        memory = held_to(replace(job.plan.guards, time=None), control)
        with OwnModules(job.code_folders, job.code_names), settled(job.plan.execution), memory:
            _work(job, Around(control, Live(), wants), connection)


def _listen(connection: Connection, control: Control, jobs: _Jobs) -> None:
    """Jobs go to the queue, a word stops what runs; the end of who sent them ends this process."""
    while True:
        try:
            told = connection.recv()
        except (EOFError, OSError):
            os._exit(1)  # nobody is left to tell; what was saved is gone on from, as after any kill
        if isinstance(told, str):
            control.interrupt(told)
        else:
            jobs.put(told)


def _work(job: FoldJob, around: Around, connection: Connection) -> None:
    events = run_fold(job, around)
    try:
        while True:
            _send(connection, next(events))
    except StopIteration as ended:
        _send(connection, ended_by(ended.value))


def _send(connection: Connection, told: Told | Ended) -> None:
    try:
        connection.send(told)
    except OSError:
        os._exit(1)  # as above
