"""Events as JSON lines on a stream, for programs that read a run as it goes."""

from __future__ import annotations

from typing import TextIO

from runexp.events import Event
from runexp.observe.event_log import encode
from runexp.observe.sink import Stamped


class JsonLines:
    """Writes every event as it is logged, a line each, at once."""

    wants: frozenset[type[Event]] = frozenset()

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def receive(self, stamped: Stamped) -> None:
        """Write the event."""
        self._stream.write(encode(stamped).decode())
        self._stream.flush()

    def close(self) -> None:
        """The stream is not ours to close."""
