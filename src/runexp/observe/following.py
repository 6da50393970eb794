"""A log that another process writes, read as it grows: whole lines only, by asking again and again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from runexp.observe.event_log import decode_line
from runexp.observe.sink import Stamped

_AT_ONCE = 1 << 20


class GrowingLog:
    """What a log has gained since it was last asked. Opens the file for reading alone, and anew each time.

    A torn last line is left for later. Lines that are no events are counted in `n_bad` and left out. A log that became
    shorter was cut back by a run that goes on from there: what follows is told, numbered as the log has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_bad = 0
        self._offset = 0
        self._kept = b""

    def news(self) -> Iterator[Stamped]:
        """The events that came, in order; none while there is no log."""
        for line in self._lines():
            try:
                yield decode_line(line, self.path.name)
            except ValueError:
                self.n_bad += 1

    def _lines(self) -> Iterator[bytes]:
        try:
            with open(self.path, "rb") as file:
                if (size := file.seek(0, 2)) < self._offset:
                    self._offset, self._kept = _last_line(file, size), b""
                file.seek(self._offset)
                while chunk := file.read(_AT_ONCE):
                    self._offset += len(chunk)
                    *whole, self._kept = (self._kept + chunk).split(b"\n")
                    yield from whole
        except FileNotFoundError:
            return


def _last_line(file: BinaryIO, size: int) -> int:
    """Where the last line begins, which may be torn."""
    start = max(0, size - _AT_ONCE)
    file.seek(start)
    return start + file.read(_AT_ONCE).rfind(b"\n") + 1
