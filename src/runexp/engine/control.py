"""How a run is asked to stop from outside: a flag that is read once a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic


class LimitExceeded(Exception):  # noqa: N818 - it reads as what happened
    """A run takes more than its spec grants it."""


@dataclass(slots=True)
class Control:
    """Shared by the signal handler, the experiment and the running phase.

    `signal` names what ends the run before its time, `asked_at` when that was, by the monotonic clock, and `limit` says
    more where it is a limit of its own; `halt` ends the running phase after its current batch; `due` asks for the state
    to be saved after it. `abandon` lets go of a run that cannot be waited for, and tells what is left, a line each.
    """

    signal: str = ""
    asked_at: float = 0.0
    limit: LimitExceeded | None = None
    halt: bool = False
    due: bool = False
    abandon: Callable[[], Sequence[str]] = tuple

    def interrupt(self, signal: str) -> None:
        """Ask the whole run to end after the current batch. Plain assignments: safe in a signal handler."""
        self.asked_at = monotonic()
        self.signal = signal
        self.halt = True

    def exceed(self, name: str, limit: LimitExceeded) -> None:
        """Ask the same because of a limit; what was asked for first counts."""
        if not self.signal:
            self.limit = limit
            self.interrupt(name)
