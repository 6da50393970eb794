"""What each phase found out. Views are built from the phase's events when first asked for, then kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeVar

from runexp.events import (
    BatchesRecorded,
    CheckpointSaved,
    EpochFinished,
    EvaluationFinished,
    Event,
    NodeFitted,
    NumbersLogged,
    PhaseFinished,
    PhaseKind,
    PhaseStarted,
    Status,
    StopRequested,
    WarningRaised,
    WeightsRestored,
)
from runexp.results.lookup import unknown
from runexp.results.losses import (
    TOTAL,
    is_rate,
    labelled_series_of,
    loss_series_of,
    rate_series_of,
    recorded_losses,
)
from runexp.results.metrics import MetricStore
from runexp.results.series import LossSeries, MetricSeries
from runexp.results.tables import html_table, show

E = TypeVar("E", bound=Event)
RESOURCES = "resources"
"""The callback that measurements of the machine are said to come from."""
State = Status | Literal["running", "killed", "unknown"]


class Best(NamedTuple):
    """The best epoch by a monitored metric; `value` is None where that epoch does not report it."""

    epoch: int
    monitor: str
    value: float | None
    restored: bool


@dataclass(frozen=True)
class PhaseFacts:
    """The events of one phase in order, and what is known around it.

    `loss_nodes` maps each loss to its node; `seconds` is None where no times were given; `held` gives the records of
    batches that are still in a log, and is called when they are asked for.
    """

    label: str
    kind: PhaseKind
    events: tuple[Event, ...]
    loss_nodes: Mapping[str, str]
    run_status: State
    seconds: float | None
    held: Callable[[], Iterable[BatchesRecorded]] = tuple

    def records(self) -> tuple[BatchesRecorded, ...]:
        """The records of batches, in order."""
        return (*self.held(), *self.all_of(BatchesRecorded))

    def all_of(self, kind: type[E]) -> tuple[E, ...]:
        """The events of one kind."""
        return tuple(event for event in self.events if isinstance(event, kind))

    def last_of(self, kind: type[E]) -> E | None:
        """The newest event of one kind."""
        return next((event for event in reversed(self.events) if isinstance(event, kind)), None)

    @property
    def started(self) -> PhaseStarted | None:
        """How the phase began."""
        return self.last_of(PhaseStarted)

    @property
    def split(self) -> str:
        """The rows it worked on."""
        return self.started.split if self.started else ""

    @property
    def status(self) -> State:
        """How the phase ended; as the run did where it was cut short."""
        finished = self.last_of(PhaseFinished)
        return finished.status if finished else self.run_status

    @property
    def numbers(self) -> Mapping[str, float]:
        """The final numbers, or the newest epoch's where the phase has not ended."""
        ended = self.last_of(PhaseFinished) or self.last_of(EpochFinished)
        return MappingProxyType(dict(ended.metrics) if ended else {})

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know."""
        return tuple(event.message for event in self.all_of(WarningRaised))

    @property
    def resources(self) -> Mapping[str, tuple[float, ...]]:
        """What was measured of the machine, by name, in order; empty where `tracking.resources` was not asked for."""
        found: dict[str, list[float]] = {}
        for event in self.all_of(NumbersLogged):
            for name, value in event.metrics.items() if event.callback == RESOURCES else ():
                found.setdefault(name, []).append(value)
        return MappingProxyType({name: tuple(values) for name, values in found.items()})


@dataclass(frozen=True, repr=False)
class _Results:
    """What every kind of phase can say of itself."""

    facts: PhaseFacts

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name} {value:.6g}" for name, value in self.numbers.items())
        return f"{type(self).__name__}({self.label!r}, {self.status}{', ' if numbers else ''}{numbers})"

    def _repr_html_(self) -> str:
        caption = f"{type(self).__name__} `{self.label}`, {self.status}"
        return html_table(caption, ["number", "value"], [[name, show(value)] for name, value in self.numbers.items()])

    @property
    def label(self) -> str:
        """The full label, such as `group/train`."""
        return self.facts.label

    @property
    def split(self) -> str:
        """The split whose rows it worked on."""
        return self.facts.split

    @property
    def status(self) -> State:
        """How it ended."""
        return self.facts.status

    @property
    def numbers(self) -> Mapping[str, float]:
        """The final numbers by name."""
        return self.facts.numbers

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know."""
        return self.facts.warnings


class TrainResults(_Results):
    """What a train phase found out."""

    @property
    def resources(self) -> Mapping[str, tuple[float, ...]]:
        """CPU, memory, GPU and speed as they were measured, by name; empty unless `tracking.resources` asked for it."""
        return self.facts.resources

    @property
    def n_epochs(self) -> int:
        """The epochs that were finished."""
        return len(self.epoch_indices)

    @property
    def n_planned_epochs(self) -> int:
        """The epochs it was to run; 0 where it counts steps only."""
        return self.facts.started.n_epochs if self.facts.started else 0

    @cached_property
    def epoch_indices(self) -> tuple[int, ...]:
        """The finished epochs, the first is 0."""
        return tuple(dict.fromkeys(event.epoch for event in self.facts.all_of(EpochFinished)))

    @property
    def stopped_by(self) -> str:
        """The callback that ended it early; empty where none did."""
        finished = self.facts.last_of(PhaseFinished)
        return finished.by if finished else ""

    @property
    def stop_reason(self) -> str:
        """Why it was asked to stop; empty where nobody asked."""
        asked = self.facts.last_of(StopRequested)
        return asked.reason if asked else ""

    @cached_property
    def metrics(self) -> MetricStore:
        """Every number by epoch and step."""
        store = MetricStore()
        for event in self.facts.events:
            if isinstance(event, (EpochFinished, EvaluationFinished)):
                store.log_all(event.metrics, event.epoch, event.step)
        return store

    @property
    def evaluations(self) -> tuple[EvaluationFinished, ...]:
        """The evaluations on the way, in order."""
        return self.facts.all_of(EvaluationFinished)

    @property
    def checkpoints(self) -> tuple[CheckpointSaved, ...]:
        """The checkpoints written, in order; some may have been removed since."""
        return self.facts.all_of(CheckpointSaved)

    @cached_property
    def best(self) -> Best | None:
        """The best epoch: the one restored, the best checkpoint's, or the lowest of a monitored loss."""
        restored = self.facts.last_of(WeightsRestored)
        if restored:
            return Best(restored.epoch, restored.monitor, restored.value, restored=True)
        monitored = self.facts.started.monitored if self.facts.started else ()
        saved = next((event for event in reversed(self.checkpoints) if event.is_best), None)
        if saved and len(monitored) == 1:
            return self._best_at(monitored[0], saved.epoch)
        return next((best for name in monitored if (best := self._lowest(name))), None)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """The losses there are records of."""
        return recorded_losses(self._records)

    def losses(self, name: str | None = None) -> LossSeries:
        """Losses by batch, weighted by rows: `collapse("batch", "mean")` gives the epoch's logged number.

        `name` is a loss, a node that has one, or `loss`, the weighted total: over (epoch, batch).
        Without a name, or for a node with several losses: every loss, over (epoch, batch, label).
        """
        if name not in self._views:
            self._views[name] = self._series(name)
        return self._views[name]

    def learning_rate(self, name: str = "lr") -> MetricSeries:
        """The learning rate by (epoch, batch)."""
        rates = dict.fromkeys(column for record in self._records for column in record.columns if is_rate(column))
        if name not in rates:
            raise unknown("learning rate", name, rates)
        return rate_series_of(self._records, name)

    @cached_property
    def _records(self) -> tuple[BatchesRecorded, ...]:
        return self.facts.records()

    @cached_property
    def _views(self) -> dict[str | None, LossSeries]:
        return {}

    def _series(self, name: str | None) -> LossSeries:
        if name is None:
            return labelled_series_of(self._records, self.loss_names)
        if name in self.loss_names or any(name == TOTAL and TOTAL in record.columns for record in self._records):
            return loss_series_of(self._records, name)
        nodes = {loss: node for loss in self.loss_names if (node := self.facts.loss_nodes.get(loss))}
        on_node = [loss for loss, node in nodes.items() if node == name]
        if not on_node:
            there = dict.fromkeys((*self.loss_names, TOTAL, *nodes.values()))
            raise unknown("loss or node", name, there, plural="there are")
        if len(on_node) == 1:
            return loss_series_of(self._records, on_node[0])
        return labelled_series_of(self._records, on_node)

    def _best_at(self, monitor: str, epoch: int) -> Best:
        known = monitor in self.metrics and epoch in self.metrics.series(monitor).axis_values("epoch")
        return Best(epoch, monitor, self.metrics.at(monitor, epoch) if known else None, restored=False)

    def _lowest(self, monitor: str) -> Best | None:
        losses = self.facts.loss_nodes or self.loss_names  # the latter reads every batch of a log
        is_loss = any(monitor == name or monitor.endswith(f"_{name}") for name in (TOTAL, *losses))
        reading = self.metrics.best(monitor, "min") if is_loss and monitor in self.metrics else None
        return Best(reading.epoch, monitor, reading.value, restored=False) if reading else None


class EvalResults(_Results):
    """What an eval phase found out."""

    @cached_property
    def metrics(self) -> MetricStore:
        """The numbers as a store: one value each."""
        store = MetricStore()
        store.log_all(self.numbers, 0, 0)
        return store

    def aggregated_losses(self) -> dict[str, float]:
        """The losses over the whole split by name; their weighted total is `loss`."""
        known = {TOTAL, *self.facts.loss_nodes}
        return {name: value for name, value in self.numbers.items() if name in known}


class FitResults(_Results):
    """What a fit phase did."""

    @property
    def nodes(self) -> dict[str, int]:
        """The estimators fitted, each with the rows it saw."""
        return {event.node: event.n_rows for event in self.facts.all_of(NodeFitted)}


PhaseResults = TrainResults | EvalResults | FitResults
