"""Carries events from the engine to the sinks, and ends every run in one terminal event."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from itertools import count

from runexp.events import Event, RunFinished, Status, WarningRaised
from runexp.observe.sink import Sink, Stamped, wanted
from runexp.observe.wording import printable


def _to_standard_error(message: str) -> None:
    with suppress(OSError):  # nobody is left to tell
        sys.stderr.write(f"warning: {printable(message)}\n")


def pump(
    events: Iterator[Event],
    sinks: Sequence[Sink],
    *,
    clock: Callable[[], float] = time.time,
    alarm: Callable[[str], None] = _to_standard_error,
    first: int = 0,
    needed: Sequence[Sink] = (),
) -> RunFinished:
    """Hand every event to the sinks, stamped with numbers from `first`, up to the terminal one, and return that; close
    the sinks.

    A sink that raises is closed and left out; the others hear of it as a `WarningRaised`, or `alarm` if none
    can. Sinks that do not want `RunFinished` are closed before it, so that a failure to finish is on record.
    The failure of one of `needed` fails the run instead: what it has to keep would be lost. Where the engine cannot be
    told any more, it is raised.
    If the engine raises, or this thread is interrupted, a terminal event says so, and it is raised on.
    """
    audience = _Audience(sinks, needed, _Means(clock, alarm, first))
    with ExitStack() as way_out:
        way_out.callback(audience.close)
        if isinstance(events, Generator):
            way_out.callback(events.close)
        try:
            finished = _follow(events, audience)
        except BaseException as reason:
            audience.end(reason)
            raise
    if audience.lost is not None and finished.status in ("completed", "stopped"):
        raise audience.lost
    return finished


def _follow(events: Iterator[Event], audience: _Audience) -> RunFinished:
    """Pass on event by event. A Ctrl-C that hits a sink goes to the engine, which knows how to stop a run."""
    thrown: BaseException | None = None
    has_failed = False
    while True:
        try:
            event = _next(events, thrown)
            thrown = None
            audience.tell(event)
        except KeyboardInterrupt as caught:
            if thrown is not None or audience.has_ended:
                raise
            thrown = caught
        else:
            if isinstance(event, RunFinished):
                return event
            if audience.lost is not None and not has_failed:
                thrown, has_failed = audience.lost, True


def _next(events: Iterator[Event], thrown: BaseException | None) -> Event:
    try:
        if thrown is None:
            return next(events)
        if isinstance(events, Generator):
            return events.throw(thrown)  # type: ignore[no-any-return]  # a bare Generator yields Any
    except StopIteration:
        raise RuntimeError("the engine ended without a terminal event") from None
    raise thrown


@dataclass(frozen=True, slots=True)
class _Means:
    """The clock of a run, who hears what nobody else can, and the number of the first event."""

    clock: Callable[[], float]
    alarm: Callable[[str], None]
    first: int


class _Audience:
    """The sinks that still listen, under one clock and one numbering."""

    def __init__(self, sinks: Sequence[Sink], needed: Sequence[Sink], means: _Means) -> None:
        self._sinks = list(sinks)
        self._needed = {id(sink) for sink in needed}
        self._clock = means.clock
        self._alarm = means.alarm
        self._sequence = count(means.first)
        self.has_ended = False
        self.lost: Exception | None = None

    def tell(self, event: Event) -> None:
        """Hand an event to those who want it. The terminal event is the last that anyone is told."""
        if isinstance(event, RunFinished):
            self._close_each([sink for sink in self._sinks if RunFinished not in wanted(sink)])
            self.has_ended = True
            self._end_with(event)
            return
        self._deliver(event, self._sinks)

    def end(self, reason: BaseException) -> None:
        """Tell the terminal event of a run whose engine could not, unless one was told."""
        if not self.has_ended:
            status: Status = "failed" if isinstance(reason, Exception) else "interrupted"
            self.tell(RunFinished(status, _described(reason)))

    def close(self) -> None:
        """Close everyone."""
        self._close_each(self._sinks)

    def _end_with(self, event: RunFinished) -> None:
        """Tell the end, those who have to keep it first: a run that one of them has lost did not complete."""
        stamped = Stamped(next(self._sequence), self._clock(), event)
        for sink in [*self._sinks]:
            if self.lost is not None and event.status in ("completed", "stopped"):
                stamped = replace(stamped, event=RunFinished("failed", _described(self.lost)))
            self._hand(stamped, [sink])

    def _deliver(self, event: Event, sinks: Sequence[Sink]) -> bool:
        """Whether anyone received it."""
        return self._hand(Stamped(next(self._sequence), self._clock(), event), sinks)

    def _hand(self, stamped: Stamped, sinks: Sequence[Sink]) -> bool:
        listeners = [sink for sink in sinks if type(stamped.event) in wanted(sink)]
        failures: list[tuple[Sink, Exception]] = []
        for sink in listeners:
            try:
                sink.receive(stamped)
            except Exception as error:
                failures.append((sink, error))
        for sink, failure in failures:  # only now, so that every sink sees the numbers in order
            self._leave_out(sink, failure)
        return len(failures) < len(listeners)

    def _leave_out(self, sink: Sink, error: Exception) -> None:
        self._forget(sink)
        with suppress(Exception):  # why it failed is reported already
            sink.close()
        if not self._lose(sink, error):
            self._report(f"{type(sink).__name__} failed, the run goes on without it: {_described(error)}")

    def _lose(self, sink: Sink, error: Exception) -> bool:
        """Whether it is one that the run cannot do without."""
        if id(sink) not in self._needed:
            return False
        self.lost = self.lost or error
        return True

    def _close_each(self, sinks: Sequence[Sink]) -> None:
        """In order; that one fails, or is interrupted, keeps none of the others open."""
        with ExitStack() as each:
            for sink in reversed(sinks):
                each.callback(self._close, sink)

    def _close(self, sink: Sink) -> None:
        self._forget(sink)
        try:
            sink.close()
        except Exception as error:
            if not self._lose(sink, error):
                self._report(f"{type(sink).__name__} could not finish: {_described(error)}")

    def _report(self, message: str) -> None:
        if self.has_ended or not self._deliver(WarningRaised("", message), self._sinks):
            self._alarm(message)

    def _forget(self, sink: Sink) -> None:
        self._sinks = [other for other in self._sinks if other is not sink]


def _described(reason: BaseException) -> str:
    return f"{type(reason).__name__}: {reason}" if str(reason) else type(reason).__name__
