"""A phase as it would run: described, then tried and taken back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from runexp.api.checking import Checked
from runexp.api.recording import ResultsSink
from runexp.api.running import Run, Watch, build
from runexp.api.trust import own_modules
from runexp.engine.control import Control
from runexp.engine.experiment import Experiment as Interpreter
from runexp.engine.live import Live
from runexp.engine.shortening import shortened
from runexp.observe.pump import pump
from runexp.plan.experiment import Plan, walk
from runexp.plan.graph import LossPlan, MetricPlan, Route
from runexp.plan.phases import (
    BuiltInPlan,
    CallbackPlan,
    EarlyStoppingPlan,
    EvalPlan,
    EvaluationPlan,
    FitPlan,
    GroupPlan,
    OwnCallbackPlan,
    PhasePlan,
    TrainPlan,
    TurnPlan,
)
from runexp.plan.units import units_of
from runexp.plan.values import Call
from runexp.report.preview import GroupFacts, InputFacts, LossFacts, NodeFacts, PreviewFacts, ScheduleFacts
from runexp.report.wording import counted
from runexp.results import Recorder, loss_nodes_of
from runexp.runtime.description import ComputedFacts, Description, LaneFacts, describe
from runexp.runtime.settings import settled
from runexp.runtime.torch_runtime import TorchRuntime

_MOST_CLASSES = 20


@dataclass(frozen=True, slots=True)
class Length:
    """How much of a phase is tried; 0 leaves it as the spec says. `with_earlier` runs what comes before it too."""

    n_epochs: int = 0
    n_steps: int = 0
    with_earlier: bool = False


def labels(checked: Checked) -> tuple[str, ...]:
    """The labels of all phases and groups of a valid spec."""
    plan = checked.require().plan
    return tuple(phase.label for phase in walk(plan.phases)) if plan else ()


class Preview:
    """One phase or group of a spec, built once: `facts` describes it, `run` tries it and puts everything back.

    `fold` counts from 0 and is that of a cross-validation. `KeyError` for an unknown label, `IndexError` for a fold
    that there is not, `SpecError` for data or shapes that cannot work.
    """

    def __init__(self, checked: Checked, label: str, *, fold: int = 0) -> None:
        plan = checked.require().linked
        self._plan: Plan = plan
        self._phase = plan.phase(label)
        self._modules = own_modules(checked)
        with self._modules:
            self._runtime: TorchRuntime = build(checked, fold=fold)
        self._fold = fold

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The estimators that must be fitted before it can run."""
        found = [describe(self._runtime, part).waits_for for part in _leaves(self._phase)]
        fitted = {name for part in _leaves(self._phase) if isinstance(part, FitPlan) for name in part.nodes}
        fitted |= {name for part in _leaves(self._phase) if isinstance(part, TrainPlan) for name in part.learns}
        return tuple(dict.fromkeys(name for names in found for name in names if name not in fitted))

    def facts(self, length: Length) -> tuple[PreviewFacts, ...]:
        """A page for the phase, or one for each phase of a group; a phase whose nodes wait for a fit says so."""
        phase = shortened(self._phase, n_epochs=length.n_epochs, n_steps=length.n_steps)
        with self._modules:
            return tuple(self._facts(part) for part in _leaves(phase))

    def run(self, length: Length, *, watch: Watch, control: Control | None = None) -> Run:
        """Run it, shortened as asked, and restore every bit; nothing is written."""
        live, recorder = Live(), Recorder(loss_nodes_of(self._plan))
        experiment = Interpreter(self._plan, self._runtime, live=live, control=control)
        events = experiment.preview_phase(
            self._phase.label, n_epochs=length.n_epochs, n_steps=length.n_steps, with_earlier=length.with_earlier
        )
        with self._modules, settled(self._plan.execution):
            try:
                finished = pump(events, [ResultsSink(recorder), *watch(live)])
            finally:
                self._runtime.folders.clear()
                self._runtime.records.clear()
        return Run(None, recorder.results(), finished, experiment.error, units_of(self._plan))

    def _facts(self, phase: TrainPlan | EvalPlan | FitPlan) -> PreviewFacts:
        facts = self._described(phase)
        if isinstance(phase, TrainPlan) and self._plan.guards.on_nan != "stop":
            then = {"skip": "its step is left out", "warn": "its step is taken"}[self._plan.guards.on_nan]
            facts = replace(facts, notes=(*facts.notes, f"a loss that is not finite is told, and {then}"))
        if self._plan.cv is None:
            return facts
        which = f"fold {self._fold}" if self._fold else "the first fold"
        return replace(facts, notes=(*facts.notes, f"the rows are those of {which}"))

    def _described(self, phase: TrainPlan | EvalPlan | FitPlan) -> PreviewFacts:
        found = describe(self._runtime, phase)
        match phase:  # a fit phase describes its estimators, the others what they judge
            case TrainPlan():
                return _train_facts(phase, found)
            case EvalPlan():
                facts = _facts_of(phase, "eval", found, losses=phase.losses, metrics=phase.metrics)
                kept = (f"a run records {', '.join(phase.record)} of every row",) if phase.record else ()
                return replace(facts, batch_size=phase.batch_size, notes=(*facts.notes, *kept))
            case FitPlan():
                return _facts_of(phase, "fit", found)


def _train_facts(phase: TrainPlan, found: Description) -> PreviewFacts:
    n_steps = phase.n_steps or phase.n_epochs * found.n_steps_an_epoch
    facts = _facts_of(phase, "train", found, losses=phase.losses)
    return replace(
        facts,
        batch_size=phase.batch_size,
        n_batches=found.n_batches,
        n_epochs=phase.n_epochs,
        n_steps_an_epoch=found.n_steps_an_epoch,
        n_steps=n_steps,
        optimizer=_call(phase.optimizer.call) if phase.optimizer else "; then ".join(map(_turn, phase.turns)),
        groups=tuple(GroupFacts(group.name, group.lr, group.n_parameters) for group in found.groups),
        schedule=_schedule(phase, found),
        clip=_clip(phase),
        callbacks=tuple(_callback(callback) for callback in phase.callbacks),
        checkpoints=_checkpoints(phase),
        notes=(*facts.notes, *_remarks(phase)),
    )


def _remarks(phase: TrainPlan) -> Iterator[str]:
    """What a page has no place of its own for: the precision, and weights that change."""
    if phase.precision != "fp32":
        yield f"forward passes and losses in {phase.precision}; weights, updates and evaluations in fp32"
    for loss in phase.losses:
        if loss.curve is not None:
            curve = loss.curve
            yield f"weight of {loss.name}: {curve.kind} from {curve.start:g} to {curve.end:g}"


def _facts_of(
    phase: TrainPlan | EvalPlan | FitPlan,
    kind: Literal["train", "eval", "fit"],
    found: Description,
    *,
    losses: Sequence[LossPlan] = (),
    metrics: Sequence[MetricPlan] = (),
) -> PreviewFacts:
    waits = f"waits for {', '.join(found.waits_for)} to be fitted: --with-earlier runs the phases before"
    return PreviewFacts(
        label=phase.label,
        kind=kind,
        split=phase.split,
        n_rows=found.n_rows,
        device=found.device,
        n_batches=found.n_batches,
        lanes=tuple(_lane(lane) for lane in found.lanes),
        inputs=tuple(InputFacts(item.name, (None, *item.shape), item.dtype) for item in found.inputs),
        classes=tuple(_classes(item.name, item.words) for item in found.classes),
        nodes=tuple(_node(item) for item in found.nodes),
        losses=tuple(_loss(loss) for loss in losses),
        metrics=tuple(f"{metric.name}: {_routes(metric.routes)}{_units(metric)}" for metric in metrics),
        notes=((waits,) if found.waits_for else ()) + ((found.steps,) if found.steps else ()) + found.notes,
    )


def _lane(lane: LaneFacts) -> str:
    drawn = f"{lane.kind} of {lane.split}, {counted(lane.n_batches, 'batch')} of up to {lane.size}"
    roles = f", as {', '.join(lane.roles)}" if any(lane.roles) else ""
    return f"{lane.name}: {drawn}{roles} → {', '.join(lane.feeds)}"


def _classes(name: str, words: Sequence[str]) -> str:
    """`iris.kind: 0 setosa, 1 versicolor`: the column of an output that stands for each word."""
    shown = ", ".join(f"{code} {word}" for code, word in enumerate(words[:_MOST_CLASSES]))
    return f"{name}: {shown}" + (f", … {len(words)} in all" if len(words) > _MOST_CLASSES else "")


def _node(item: ComputedFacts) -> NodeFacts:
    shape = (None, *item.shape) if item.shape is not None else None
    kind = "not built yet" if not item.is_built else "trains" if item.n_trainable else "fixed"
    return NodeFacts(item.name, kind, shape, item.n_trainable, item.n_frozen)


def _loss(loss: LossPlan) -> LossFacts:
    return LossFacts(loss.name, _call(loss.call), tuple(str(route) for route in loss.routes), loss.weight)


def _units(metric: MetricPlan) -> str:
    return {"": "", "original": " in the target's own units", "transformed": " in transformed units"}[metric.units]


def _routes(routes: Sequence[Route]) -> str:
    return ", ".join(str(route) for route in routes)


def _call(call: Call) -> str:
    arguments = ", ".join(f"{name}={value}" for name, value in {**call.arguments, **call.fixed}.items())
    return f"{call.name}({arguments})"


def _turn(turn: TurnPlan) -> str:
    often = "" if turn.every_n_steps == 1 else f", every {turn.every_n_steps} steps"
    moves, losses = ", ".join(turn.trains), ", ".join(turn.losses)
    return f"{turn.name} {_call(turn.optimizer.call)} moves {moves} for {losses}{often}"


def _schedule(phase: TrainPlan, found: Description) -> ScheduleFacts | None:
    if phase.schedule is None or not found.rates:
        return None
    return ScheduleFacts(phase.schedule.curve, found.rates[0], max(found.rates), found.rates[-1])


def _clip(phase: TrainPlan) -> str:
    bounds = {"norm": phase.clip.norm, "value": phase.clip.value}
    return ", ".join(f"{name} {bound:g}" for name, bound in bounds.items() if bound)


def _callback(callback: CallbackPlan) -> str:
    match callback:
        case EvaluationPlan():
            measured = ", ".join(callback.evaluation.produces)
            every = (
                f"every {callback.every_n_steps} steps" if callback.every_n_steps else _every(callback.every_n_epochs)
            )
            return f"{callback.name}: {callback.evaluation.split} {every} → {measured}"
        case EarlyStoppingPlan():
            then = ", then restores the best" if callback.restore_best else ""
            waits = f"{callback.patience} evaluations without better {callback.monitor}"
            return f"{callback.name}: stops after {waits}{then}"
        case BuiltInPlan():
            options = ", ".join(f"{name}={value}" for name, value in callback.options.items())
            return f"{callback.name}: {callback.use}({options})"
        case OwnCallbackPlan():
            return f"{callback.name}: {_call(callback.call)}"


def _checkpoints(phase: TrainPlan) -> str:
    rule = phase.checkpoints
    if rule is None:
        return ""
    moment = rule.at.replace("_", " ")
    often = f"at {moment}" if rule.every_n == 1 else f"at {moment}, every {rule.every_n} of them and the last"
    kept = f", keeps {rule.max_to_keep}" if rule.max_to_keep else ""
    best = f", best by {rule.monitor}" if rule.monitor else ""
    where = f" as {rule.name}" if rule.where == "disk" else " in memory"
    return f"{often}{where}{kept}{best}"


def _every(n_epochs: int) -> str:
    return "every epoch" if n_epochs == 1 else f"every {n_epochs} epochs"


def _leaves(phase: PhasePlan) -> tuple[TrainPlan | EvalPlan | FitPlan, ...]:
    return tuple(part for part in walk((phase,)) if not isinstance(part, GroupPlan))
