"""Where a run stands, told by its events, for a display that was made for the engine's own position."""

from __future__ import annotations

import time
from collections.abc import Mapping

from runexp.engine.live import Live
from runexp.events import BatchesRecorded, EpochFinished, EpochStarted, EvaluationFinished, PhaseStarted
from runexp.observe.sink import Stamped


class Position:
    """Follows events: `live` is where the run stands, and called, it is the time to count from.

    While an event is shown that is the event's own time, so that what is caught up with took as long as it did.
    """

    def __init__(self) -> None:
        self.live = Live(latest=self._latest)
        self._numbers: Mapping[str, float] = {}
        self._moment: float | None = None

    def __call__(self) -> float:
        return time.time() if self._moment is None else self._moment

    def at(self, moment: float | None) -> None:
        """Stand still at a moment; None: go on with the clock."""
        self._moment = moment

    def note(self, stamped: Stamped) -> None:
        """Move to where an event says the run is."""
        live = self.live
        match stamped.event:
            case PhaseStarted() as event:
                live.phase, live.epoch, live.n_epochs = event.phase, 0, event.n_epochs
                live.batch, live.n_batches, self._numbers = 0, event.n_batches, {}
            case EpochStarted() as event:
                live.epoch, live.batch = event.epoch, 0
            case BatchesRecorded() as event:
                live.batch = event.first_batch + len(event.n_rows)
            case EpochFinished() as event:
                live.epoch, live.batch = event.epoch, live.n_batches
                self._numbers = event.metrics
            case EvaluationFinished() as event:
                self._numbers = {**self._numbers, **event.metrics}

    def _latest(self) -> Mapping[str, float]:
        return self._numbers
