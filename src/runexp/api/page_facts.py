"""What the log of a run tells of its company: what was measured of the machine, alerts, when checkpoints were saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runexp.events import CheckpointSaved, NonFiniteLossMet, NumbersLogged, StopRequested, WarningRaised
from runexp.observe.sink import Stamped
from runexp.report.html.facts import Alert, Committed, Measured
from runexp.report.wording import number
from runexp.results.phases import RESOURCES

_MOST_ALERTS = 200


def measured_in(facts: Sequence[Stamped]) -> list[Measured]:
    """The measurements in order of time; folds that ran at once were told one after the other."""
    start = facts[0].time if facts else 0.0
    found = [
        Measured(one.event.phase, one.time - start, dict(one.event.metrics))
        for one in facts
        if isinstance(one.event, NumbersLogged) and one.event.callback == RESOURCES
    ]
    return sorted(found, key=lambda one: one.seconds)


def alerts_in(facts: Sequence[Stamped]) -> list[Alert]:
    """Warnings, losses that were not finite, and who asked a phase to stop; the first of very many."""
    start = facts[0].time if facts else 0.0
    return list(_alerts(facts, start))[:_MOST_ALERTS]


def _alerts(facts: Sequence[Stamped], start: float) -> Iterator[Alert]:
    for one in facts:
        seconds = one.time - start
        match one.event:
            case WarningRaised() as event:
                yield Alert(event.phase, seconds, "warning", event.message)
            case NonFiniteLossMet() as event:
                at = f"epoch {event.epoch}, batch {event.batch}"
                message = f"{event.loss} was {number(event.value)} in {at}; guards.on_nan: {event.action}"
                yield Alert(event.phase, seconds, "loss that is not finite", message)
            case StopRequested() as event:
                yield Alert(event.phase, seconds, "stop", f"{event.by}: {event.reason}")


def committed_in(facts: Sequence[Stamped]) -> dict[str, Committed]:
    """When each checkpoint was saved, by its name."""
    saved = [one.event for one in facts if isinstance(one.event, CheckpointSaved)]
    return {event.name: Committed(event.epoch, event.step) for event in saved}
