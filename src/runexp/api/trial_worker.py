"""A worker process of a sweep: runs the trials it is sent, tells where they stand, and ends them when it is told to."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread

from runexp.api.trial_run import SpecTrial
from runexp.engine.control import Control

_Jobs = SimpleQueue[tuple[SpecTrial, Control] | None]


def serve(descriptor: int) -> None:
    """Run trials until nobody is there any more. What they print goes to standard error, as talk does."""
    os.dup2(2, 1)
    connection = Connection(descriptor)
    jobs: _Jobs = SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)
    Thread(target=_listen, args=(connection, jobs), daemon=True).start()
    while (given := jobs.get()) is not None:
        trial, control = given
        outcome = trial.run(control, connection.send)
        with suppress(OSError):  # whoever sent it is gone, and finds it in its folder another time
            connection.send(outcome)


def _listen(connection: Connection, jobs: _Jobs) -> None:
    """Trials go to the queue, a word ends the one that runs; so does the end of who sent them."""
    control = Control()
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
            control = Control()
            jobs.put((told, control))
