"""Events of an engine, and between them those of others that come along: resources measured, troubles of trackers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

from runexp.events import Event, RunFinished

Companion = Callable[[Event], Iterable[Event]]
"""Gives what it has to tell by now, before an event."""


def accompanied(events: Iterator[Event], companions: Sequence[Companion]) -> Iterator[Event]:
    """The events, each after what the companions had to tell before it; themselves where there is none.

    The terminal event stays the last. What is thrown into them, such as an interrupt, goes on to the engine.
    """
    return _accompanied(events, companions) if companions else events


def _accompanied(events: Iterator[Event], companions: Sequence[Companion]) -> Generator[Event, None, None]:
    waiting: deque[Event] = deque()
    thrown: BaseException | None = None
    try:
        while True:
            try:
                event = _next(events, thrown)
            except StopIteration:
                return
            thrown = None
            waiting.extend(told for companion in companions for told in companion(event))
            waiting.append(event)
            while waiting:
                try:
                    yield waiting.popleft()
                except (KeyboardInterrupt, Exception) as caught:
                    thrown = caught
            if isinstance(event, RunFinished):
                return
    finally:
        if isinstance(events, Generator):
            events.close()


def _next(events: Iterator[Event], thrown: BaseException | None) -> Event:
    if thrown is None:
        return next(events)
    if isinstance(events, Generator):
        return events.throw(thrown)  # type: ignore[no-any-return]  # a bare Generator yields Any
    raise thrown
