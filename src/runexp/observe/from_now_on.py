"""Watching a run that goes on: who shows it is told what is new, and where it stands."""

from __future__ import annotations

from runexp.events import Event, FoldFinished, FoldStarted, PhaseFinished, PhaseStarted, RefitFinished, RefitStarted
from runexp.observe.sink import Sink, Stamped, wanted

_BEGUN = (FoldStarted, RefitStarted, PhaseStarted)
_ENDED = {PhaseFinished: PhaseStarted, FoldFinished: FoldStarted, RefitFinished: RefitStarted}


class FromNowOn:
    """Passes on to a sink what happened since a moment (seconds since the epoch).

    Of what was before, it passes on, when something new comes, the beginnings of the fold and the phase that it is in.
    """

    def __init__(self, sink: Sink, since: float) -> None:
        self._sink = sink
        self._since = since
        self._begun: dict[type, Stamped] = {}

    @property
    def wants(self) -> frozenset[type[Event]]:
        """What the sink wants."""
        return self._sink.wants

    def receive(self, stamped: Stamped) -> None:
        """Pass the event on, or note where it leaves the run."""
        event = stamped.event
        if stamped.time >= self._since:
            begun, self._begun = list(self._begun.values()), {}
            for earlier in (*begun, stamped):
                self._sink.receive(earlier)
        elif isinstance(event, _BEGUN) and type(event) in wanted(self._sink):
            self._begun[type(event)] = stamped
        elif type(event) in _ENDED:
            self._begun.pop(_ENDED[type(event)], None)

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()
