"""An event log opened in a moment: its facts at once, the records of its batches when they are asked for.

A log of ten million records is hundreds of megabytes of text; all but a few kilobytes of it are lines of
`BatchesRecorded`, so those are noted by their place and read on demand.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from runexp.events import BatchesRecorded
from runexp.observe.event_log import decode_line
from runexp.observe.sink import Stamped

_HEAD = re.compile(rb'\{"seq":\d+,"time":"[^"]*","event":"BatchesRecorded","phase":"([^"\\]*)",')
_LONGEST_HEAD = 1000

Place = tuple[int, int]
"""Where a line begins and ends, in bytes."""


class StoredLog:
    """The facts of a log in order; `batches` reads the rest by phase; `problems` names the lines that are no events."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts: list[Stamped] = []
        self.problems: list[str] = []
        self._places: dict[str, list[Place]] = {}
        with open(path, "rb") as file:
            if file.seek(0, 2):
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
                    self._scan(text)

    @property
    def batches(self) -> dict[str, Callable[[], Iterable[BatchesRecorded]]]:
        """By the label of a phase: what reads its records of batches. `OSError` then, if the log is gone."""
        return {phase: partial(self._read, phase) for phase in self._places}

    def _scan(self, text: mmap.mmap) -> None:
        start, number = 0, 0
        while (end := text.find(b"\n", start)) >= 0:  # what follows the last newline is torn
            number += 1
            head = _HEAD.match(text[start : min(end, start + _LONGEST_HEAD)])
            if head:
                self._places.setdefault(head[1].decode(), []).append((start, end))
            else:
                self._add(text[start:end], number)
            start = end + 1

    def _add(self, line: bytes, number: int) -> None:
        try:
            self.facts.append(decode_line(line, f"{self.path.name}:{number}"))
        except ValueError as error:
            self.problems.append(str(error))

    def _read(self, phase: str) -> Iterator[BatchesRecorded]:
        with open(self.path, "rb") as file:
            for start, end in self._places[phase]:
                file.seek(start)
                try:
                    event = decode_line(file.read(end - start), self.path.name).event
                except ValueError:
                    continue  # a damaged line holds no numbers that could be trusted
                if isinstance(event, BatchesRecorded):
                    yield event
