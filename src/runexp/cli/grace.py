"""Leaving in the time that a batch scheduler grants, also from what cannot be broken off."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

from runexp.cli.screen import say

if TYPE_CHECKING:  # imported by the functions, to start fast
    from runexp.engine.control import Control

_ASKING = (signal.SIGTERM, signal.SIGUSR1)
_CODE = 143
_IT_IS_OVER = b"\0"


@contextmanager
def leaving_in_time(control: Control, grace_s: float | None, *, again: str = "") -> Iterator[None]:
    """Within it, SIGTERM or SIGUSR1 ends the process after so many seconds, wherever it stands; None: whenever it can.

    `again` says how to go on where that is not what the run says of itself. A thread is told of the signal by the
    system itself: a long fit keeps the handlers of the main thread waiting.
    """
    if grace_s is None:
        yield
        return
    hears, tells = os.pipe()
    os.set_blocking(tells, False)
    over = Event()

    def let_go() -> Sequence[str]:
        told = control.abandon()
        return (again,) if again else told

    before = signal.set_wakeup_fd(tells, warn_on_full_buffer=False)
    clock = Thread(target=_wait, args=(hears, over, grace_s, let_go), daemon=True, name="runexp-grace")
    clock.start()
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(before)
        os.write(tells, _IT_IS_OVER)
        clock.join()
        os.close(tells)
        os.close(hears)


def _wait(hears: int, over: Event, grace_s: float, let_go: Callable[[], Sequence[str]]) -> None:
    asked = 0
    while asked not in _ASKING:
        (asked,) = os.read(hears, 1)
        if over.is_set():
            return
    if not over.wait(grace_s):
        name = signal.Signals(asked).name
        say(f"interrupted by {name}; what it was at could not be left within {grace_s:g} s, so it was broken off")
        for line in let_go():  # what was saved before is whole, and is gone on from
            say(line)
        os._exit(_CODE)
