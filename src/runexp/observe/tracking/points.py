"""Events → points: every number under one name, on a step that only grows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runexp.events import (
    BatchesRecorded,
    EpochFinished,
    EvaluationFinished,
    Event,
    FoldFinished,
    FoldStarted,
    NumbersLogged,
    PhaseFinished,
    PhaseStarted,
)
from runexp.observe.sink import Stamped
from runexp.observe.tracking.tracker import Point

WANTED: frozenset[type[Event]] = frozenset(
    {EpochFinished, EvaluationFinished, FoldFinished, FoldStarted, NumbersLogged, PhaseFinished, PhaseStarted}
    | {BatchesRecorded}
)


class Plotter:
    """Makes points of events, in order. Of a name no step is told twice: `known` are the last ones told before.

    A step is the number of batches worked off so far, in the run or in the fold, so that it goes on growing from one
    phase to the next. The numbers of a batch are told only if `per_batch`.
    """

    def __init__(self, *, per_batch: bool) -> None:
        self.known: dict[str, int] = {}
        self._per_batch = per_batch
        self._fold = ""
        self._n_batches = 0
        self._newest = -1  # the last epoch whose batches are counted

    def points(self, stamped: Stamped) -> list[Point]:
        """The points of an event that have not been told."""
        return [point for point in self._made(stamped.event, stamped.time) if self._is_new(point)]

    def _is_new(self, point: Point) -> bool:
        path = point.path
        if point.step <= self.known.get(path, -1):
            return False
        self.known[path] = point.step
        return True

    def _made(self, event: Event, time: float) -> Iterator[Point]:
        match event:
            case FoldStarted():
                self._fold, self._n_batches = event.group, 0
            case FoldFinished():
                self._fold = ""
            case PhaseStarted():
                self._newest = -1
            case BatchesRecorded():
                yield from self._batches(event, time)
            case EpochFinished() | EvaluationFinished() | NumbersLogged() | PhaseFinished():
                yield from self._told(event, time)

    def _told(
        self, event: EpochFinished | EvaluationFinished | NumbersLogged | PhaseFinished, time: float
    ) -> Iterator[Point]:
        label, metrics, n_more = event.phase, event.metrics, 0
        if isinstance(event, PhaseFinished):
            label = f"{label}/final" if event.kind == "train" else label
            return (yield from self._numbers(label, metrics, time, -1))
        if isinstance(event, NumbersLogged) and event.epoch > self._newest:
            n_more = event.batch + 1
        told = {**metrics, "epoch": float(event.epoch)} if isinstance(event, EpochFinished) else metrics
        yield from self._numbers(label, told, time, event.epoch, n_more=n_more)

    def _batches(self, event: BatchesRecorded, time: float) -> Iterator[Point]:
        """A block of batches, which is told at the end of its epoch: all have its time."""
        first = self._n_batches + 1
        self._n_batches += len(event.n_rows)
        self._newest = event.epoch
        if not self._per_batch:
            return
        for name, values in event.columns.items():
            label = f"{self._inner(event.phase)}/batch/{name}"
            for index, value in enumerate(values):
                batch = event.first_batch + index
                yield Point(label, value, first + index, time, self._fold, event.epoch, batch)

    def _numbers(
        self, phase: str, metrics: Mapping[str, float], time: float, epoch: int, *, n_more: int = 0
    ) -> Iterator[Point]:
        """`n_more`: batches of an epoch that is not over."""
        label, step = self._inner(phase), self._n_batches + n_more
        for name, value in metrics.items():
            yield Point(f"{label}/{name}" if label else name, value, step, time, self._fold, epoch)

    def _inner(self, phase: str) -> str:
        """The label of a phase without its fold."""
        return phase.removeprefix(f"{self._fold}/") if self._fold else phase
