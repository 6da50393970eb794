"""What a sink is: it receives the events of a run, stamped, and cannot steer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from runexp.events import EVENT_TYPES, BatchFinished, Event

_ORDINARY: frozenset[type[Event]] = frozenset(EVENT_TYPES.values()) - {BatchFinished}


@dataclass(frozen=True, slots=True)
class Stamped:
    """An event with its place in the run, from 0, and its time in seconds since the epoch, UTC."""

    sequence: int
    time: float
    event: Event


@dataclass(frozen=True, slots=True)
class Timed:
    """An event with the time it happened, where it is passed on later: from another process, or from a log."""

    time: float
    event: Event


Told = Event | Timed
"""What a run tells: an event of now, or one of an earlier time."""


class Sink(Protocol):
    """Who watches a run."""

    @property
    def wants(self) -> frozenset[type[Event]]:
        """The kinds of events it receives; empty: all but `BatchFinished`, which costs something to build."""

    def receive(self, stamped: Stamped) -> None:
        """Take note of an event. Whatever it raises, the run goes on without this sink."""

    def close(self) -> None:
        """Finish and release everything; called once, on every way out."""


def wanted(sink: Sink) -> frozenset[type[Event]]:
    """The kinds of events that a sink receives."""
    return sink.wants or _ORDINARY


def subscribed(sinks: Iterable[Sink]) -> frozenset[type[Event]]:
    """The kinds of events that at least one of the sinks receives; no other needs to be built."""
    return frozenset().union(*map(wanted, sinks))
