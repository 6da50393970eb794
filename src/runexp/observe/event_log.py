"""events.jsonl: the run, fact by fact, the source of truth."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runexp.durable import naming
from runexp.events import (
    CheckpointSaved,
    EpochFinished,
    Event,
    PhaseFinished,
    RunFinished,
    RunStarted,
    StopRequested,
    WarningRaised,
    dump_event,
    load_event,
)
from runexp.observe.sink import Stamped

_AT_ONCE = (RunStarted, EpochFinished, CheckpointSaved, StopRequested, WarningRaised, PhaseFinished)
_INTERVAL_S = 2.0
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a log: its length in bytes up to there, and the number of the event that comes next."""

    offset: int
    sequence: int


class EventLog:
    """Writes one line an event, to a new file or to one that is cut back to a mark.

    What a full disk refuses is kept and written as soon as it can be.

    `OSError` once that has failed for a minute, or at the end of the run: the record then ends early.
    """

    wants: frozenset[type[Event]] = frozenset()

    def __init__(self, path: Path, goes_on_from: Mark | None = None) -> None:
        self._path = path
        begun = goes_on_from or Mark(0, 0)
        how = os.O_EXCL | os.O_CREAT if goes_on_from is None else 0
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | how, 0o666)
        if goes_on_from is not None:
            os.truncate(self._file, begun.offset)
        self._n_bytes, self._sequence = begun.offset, begun.sequence
        self._is_open = True
        self._pending = bytearray()
        self._written_at = float("-inf")

    def receive(self, stamped: Stamped) -> None:
        """Keep the line; write it at once if it may be awaited, else within two seconds' worth of events."""
        line = encode(stamped)
        self._pending += line
        self._n_bytes += len(line)
        self._sequence = stamped.sequence + 1
        if isinstance(stamped.event, RunFinished):
            self._write()
            self._sync()
        elif isinstance(stamped.event, _AT_ONCE) or stamped.time - self._written_at >= _INTERVAL_S:
            self._write_if_possible(stamped.time)

    def mark(self) -> Mark | None:
        """Where the log stands, lines not yet written included; None once it is closed."""
        return Mark(self._n_bytes, self._sequence) if self._is_open else None

    def sync(self) -> None:
        """Write what is left, durably, and go on."""
        self._write()
        self._sync()

    def close(self) -> None:
        """Write what is left, durably."""
        self._is_open = False
        try:
            self._write()
            self._sync()
        finally:
            os.close(self._file)

    def _sync(self) -> None:
        with naming(self._path):
            os.fsync(self._file)

    def _write_if_possible(self, now: float) -> None:
        try:
            self._write()
        except OSError as error:
            if now - self._written_at > _PATIENCE_S:
                raise OSError(error.errno, f"the record ends early: {error.strerror}", str(self._path)) from error
        else:
            self._written_at = now

    def _write(self) -> None:
        with naming(self._path):
            while self._pending:  # a write may be short; the next one goes on where it ended
                try:
                    del self._pending[: os.write(self._file, self._pending)]
                except OSError:
                    self._cut_back()
                    raise

    def _cut_back(self) -> None:
        """Take away what a write that failed may have left, so that the next does not go on in the middle of a line."""
        with suppress(OSError):  # it is written when the disk is fit for it, or never
            os.truncate(self._file, self._n_bytes - len(self._pending))


def encode(stamped: Stamped) -> bytes:
    """The line of an event; time is ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(stamped.time, UTC).isoformat(timespec="milliseconds")
    head = {"seq": stamped.sequence, "time": moment.replace("+00:00", "Z")}
    body = json.dumps(head | dump_event(stamped.event), separators=(",", ":"), allow_nan=False)
    return body.encode() + b"\n"


def read_events(path: Path) -> Iterator[Stamped]:
    """The events of a log, in order, without a torn last line; `ValueError` names any other bad line."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            data = _parsed(line)
            if data is not None:
                yield _decoded(data, f"{path}:{number}")
            elif file.peek(1):
                raise ValueError(f"{path}:{number}: not a line of JSON")


def decode_line(line: bytes, place: str) -> Stamped:
    """The event of one whole line; `ValueError` names the place of one that is none."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError(f"{place}: not a line of JSON") from None
    return _decoded(data, place)


def _parsed(line: bytes) -> Any | None:  # noqa: ANN401 - whatever the line holds
    try:
        return json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None


def _decoded(data: Any, place: str) -> Stamped:  # noqa: ANN401 - whatever the line holds
    try:
        return Stamped(data["seq"], datetime.fromisoformat(data["time"]).timestamp(), load_event(data))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{place}: not an event of a run: {error!r}") from error
