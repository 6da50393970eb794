"""Events of an engine, and between them those of others that come along: resources measured, troubles of trackers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

from runexp.events import Event, RunFinished

Companion = Callable[[Event], Iterable[Event]]
"""Gives what it has to tell by now, before an event."""


def accompanied(events: Iterator[Event], companions: Sequence[Companion]) -> Iterator[Event]:
    """The events, each after what the companions had to tell before it; themselves where there is none.

    The terminal event stays the last. An interrupt goes on to the engine.
    """
    return _accompanied(events, companions) if companions else events


def _accompanied(events: Iterator[Event], companions: Sequence[Companion]) -> Generator[Event, None, None]:
    waiting: deque[Event] = deque()
    interrupt: KeyboardInterrupt | None = None
    try:
        while True:
            try:
                event = _next(events, interrupt)
            except StopIteration:
                return
            interrupt = None
            waiting.extend(told for companion in companions for told in companion(event))
            waiting.append(event)
            while waiting:
                try:
                    yield waiting.popleft()
                except KeyboardInterrupt as caught:
                    interrupt = caught
            if isinstance(event, RunFinished):
                return
    finally:
        if isinstance(events, Generator):
            events.close()


def _next(events: Iterator[Event], interrupt: KeyboardInterrupt | None) -> Event:
    if interrupt is None:
        return next(events)
    if isinstance(events, Generator):
        return events.throw(interrupt)  # type: ignore[no-any-return]  # a bare Generator yields Any
    raise interrupt
