"""Progress for pipes and CI: plain lines, not too many."""

from __future__ import annotations

from typing import TextIO

from runexp.events import CheckpointSaved, EpochFinished, Event, PhaseFinished, PhaseStarted
from runexp.observe.sink import Stamped
from runexp.observe.wording import numbers, printable, sentence

_INTERVAL_S = 2.0


class PlainProgress:
    """Writes a line an epoch, or one every two seconds where epochs are faster, and always a phase's last.

    The same holds for checkpoints. Everything else a person should know has a line at once.
    """

    wants: frozenset[type[Event]] = frozenset()

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._encoding = stream.encoding or "utf-8"
        self._n_epochs = 0
        self._shown_at: dict[type, float] = {}
        self._held: dict[type, str] = {}

    def receive(self, stamped: Stamped) -> None:
        """Write what there is to say of an event, or hold it back in case it is the last of its kind."""
        event = stamped.event
        if isinstance(event, PhaseStarted):
            self._n_epochs = event.n_epochs
            self._shown_at.clear()
        elif isinstance(event, PhaseFinished):
            self._write_held()
        if isinstance(event, (EpochFinished, CheckpointSaved)):
            self._write_now_and_then(stamped, self._line(event))
        else:
            self._write(self._line(event))

    def close(self) -> None:
        """Write what was held back."""
        self._write_held()

    def _line(self, event: Event) -> str:
        if isinstance(event, EpochFinished) and self._n_epochs:
            return printable(f"epoch {event.epoch} ({event.epoch + 1}/{self._n_epochs})  {numbers(event.metrics)}")
        return sentence(event)

    def _write_now_and_then(self, stamped: Stamped, line: str) -> None:
        kind = type(stamped.event)
        if stamped.time - self._shown_at.get(kind, float("-inf")) < _INTERVAL_S:
            self._held[kind] = line
            return
        self._held.pop(kind, None)
        self._shown_at[kind] = stamped.time
        self._write(line)

    def _write_held(self) -> None:
        held = list(self._held.values())
        self._held.clear()
        for line in held:
            self._write(line)

    def _write(self, line: str) -> None:
        if line:
            self._stream.write(line.encode(self._encoding, "backslashreplace").decode(self._encoding) + "\n")
            self._stream.flush()
