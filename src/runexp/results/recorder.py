"""Events → Results: a fold that can be read at any time, live or from a log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from runexp.events import (
    BatchesRecorded,
    BatchFinished,
    Event,
    FoldFinished,
    FoldStarted,
    GroupFinished,
    GroupStarted,
    InnerTrialFinished,
    PhaseKind,
    PhaseStarted,
    RefitFinished,
    RefitStarted,
    RunFinished,
    RunStarted,
    ValuesChosen,
    WarningRaised,
)
from runexp.plan.experiment import Plan, walk
from runexp.plan.phases import EvalPlan, TrainPlan
from runexp.results.choices import choice_of, in_order
from runexp.results.folds import CVResults, FoldFacts, RefitFacts
from runexp.results.groups import GroupResults
from runexp.results.losses import recorded_losses
from runexp.results.phases import EvalResults, FitResults, PhaseFacts, PhaseResults, TrainResults
from runexp.results.run import RunResults, Timings

LossNodes = Mapping[str, Mapping[str, str]]
"""By the label of a phase: the node that each of its losses is applied to."""

HeldRecords = Mapping[str, Callable[[], Iterable[BatchesRecorded]]]
"""By the label of a phase: what reads its records of batches when they are asked for."""


def loss_nodes_of(plan: Plan) -> dict[str, dict[str, str]]:
    """What a recorder needs in order to answer for nodes and to tell losses from metrics."""
    return {
        phase.label: {loss.name: loss.node for loss in phase.losses}
        for phase in walk(plan.phases)
        if isinstance(phase, (TrainPlan, EvalPlan))
    }


@dataclass(slots=True)
class _Members:
    """A group while it fills: `None` stands for a phase, whose events are kept by label."""

    label: str
    children: dict[str, _Members | None] = field(default_factory=dict)


class Recorder:
    """Takes events one by one and gives the results of what has happened so far.

    Keeps events by reference and builds nothing before it is asked. `loss_nodes` is `loss_nodes_of(plan)`; `held`
    gives, by the label of a phase, the records of batches that were not received.
    """

    def __init__(self, loss_nodes: LossNodes | None = None, *, held: HeldRecords | None = None) -> None:
        self._loss_nodes = loss_nodes or {}
        self._held = {} if held is None else held
        self._run = RunStarted("", 0, "", "", ())
        self._finished: RunFinished | None = None
        self._warnings: list[str] = []
        self._root = _Members("")
        self._folds: dict[int, FoldFacts] = {}
        self._refit: RefitFacts | None = None
        self._choices: dict[int, ValuesChosen] = {}
        self._events: dict[str, list[Event]] = {}
        self._kinds: dict[str, PhaseKind] = {}
        self._times: dict[str, tuple[float, float]] = {}

    def receive(self, event: Event, time: float | None = None) -> None:
        """Add one event; `time` in seconds from any fixed start gives timings."""
        match event:
            case RunStarted():
                self._run = event
            case RunFinished():
                self._finished = event
            case GroupStarted(group=label):
                self._open_group(label)
            case FoldStarted() | FoldFinished() | RefitStarted() | RefitFinished() | ValuesChosen():
                self._note_fold(event)
            case GroupFinished() | BatchFinished() | InnerTrialFinished():  # batches come again in blocks
                pass
            case _:
                self._keep(event)
        if time is not None:
            self._clock("", time)
            if label := getattr(event, "phase", ""):
                self._clock(f"/{label}", time)

    def results(self) -> RunResults:
        """The results so far; later events do not change them."""
        finished = self._finished
        root = self._group(self._root)
        return RunResults(
            name=self._run.name,
            seed=self._run.seed,
            device=self._run.device,
            status=finished.status if finished else "running",
            error=finished.error if finished else "",
            where=finished.where if finished else "",
            results=root,
            timings=self._timings(),
            warnings=tuple(self._warnings),
            cv=self._cross_validated(root),
        )

    def _keep(self, event: Event) -> None:
        label: str = getattr(event, "phase", "")
        if isinstance(event, WarningRaised) and label not in self._kinds:
            self._warnings.append(event.message)
            return
        if isinstance(event, PhaseStarted):
            self._kinds[label] = event.kind
            parent, _, name = label.rpartition("/")
            self._open_group(parent).children.setdefault(name, None)
        self._events.setdefault(label, []).append(event)

    def _note_fold(self, event: FoldStarted | FoldFinished | RefitStarted | RefitFinished | ValuesChosen) -> None:
        self._open_group(event.group)
        match event:
            case ValuesChosen():
                self._choices[event.fold] = event
            case FoldStarted():
                rows = (event.n_train, event.n_held_out)
                self._folds[event.fold] = FoldFacts(
                    event.fold, event.group, event.name, *rows, "running", "", event.digest
                )
            case RefitStarted():
                self._refit = RefitFacts(event.group, event.n_train, status="running")
            case FoldFinished() if event.fold in self._folds:
                self._folds[event.fold] = replace(self._folds[event.fold], status=event.status, error=event.error)
            case RefitFinished() if self._refit is not None:
                self._refit = replace(self._refit, status=event.status, error=event.error)

    def _cross_validated(self, root: GroupResults) -> CVResults | None:
        if not self._folds:
            return None
        folds = tuple(facts for _, facts in sorted(self._folds.items()))
        return CVResults(folds, root, self._refit, in_order(map(choice_of, self._choices.values())))

    def _open_group(self, label: str) -> _Members:
        members = self._root
        for name in label.split("/") if label else ():
            inner = members.children.get(name)
            if inner is None:
                inner = members.children[name] = _Members(f"{members.label}/{name}".lstrip("/"))
            members = inner
        return members

    def _clock(self, key: str, time: float) -> None:
        begun, _ = self._times.get(key, (time, time))
        self._times[key] = (begun, time)

    def _timings(self) -> Timings:
        phases = {label: seconds for label in self._kinds if (seconds := self._seconds(f"/{label}")) is not None}
        return Timings(self._seconds(""), phases)

    def _seconds(self, key: str) -> float | None:
        if key not in self._times:
            return None
        begun, ended = self._times[key]
        return ended - begun

    def _group(self, members: _Members) -> GroupResults:
        built: dict[str, PhaseResults | GroupResults] = {}
        for name, inner in members.children.items():
            label = f"{members.label}/{name}".lstrip("/")
            built[name] = self._phase(label) if inner is None else self._group(inner)
        return GroupResults(members.label, built)

    def _phase(self, label: str) -> PhaseResults:
        kind = self._kinds[label]
        facts = PhaseFacts(
            label=label,
            kind=kind,
            events=tuple(self._events[label]),
            loss_nodes=self._nodes_of_losses(label),
            run_status=self._finished.status if self._finished else "running",
            seconds=self._seconds(f"/{label}"),
            held=self._held.get(label, tuple),
        )
        match kind:
            case "train":
                return TrainResults(facts)
            case "eval":
                return EvalResults(facts)
            case "fit":
                return FitResults(facts)

    def _nodes_of_losses(self, label: str) -> Mapping[str, str]:
        """As told; else the names that any phase has records of, on no known node."""
        if self._loss_nodes:
            return self._loss_nodes.get(label, {})
        events = [event for kept in self._events.values() for event in kept if isinstance(event, BatchesRecorded)]
        return dict.fromkeys(recorded_losses(events), "")


def record(events: Iterable[Event], *, loss_nodes: LossNodes | None = None) -> RunResults:
    """The results of a list of events, as a log holds them."""
    recorder = Recorder(loss_nodes)
    for event in events:
        recorder.receive(event)
    return recorder.results()
