"""How a run is asked to stop from outside: a flag that is read once a batch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Control:
    """Shared by the signal handler, the experiment and the running phase.

    `signal` names what interrupted the run; `halt` ends the running phase after its current batch; `due` asks for the
    state to be saved after it.
    """

    signal: str = ""
    halt: bool = False
    due: bool = False

    def interrupt(self, signal: str) -> None:
        """Ask the whole run to end after the current batch. Plain assignments: safe in a signal handler."""
        self.signal = signal
        self.halt = True
