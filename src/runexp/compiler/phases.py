"""The phase pass: what runs in which order, with everything it needs linked."""

from __future__ import annotations

from collections.abc import Mapping

from runexp.compiler.callbacks import Watched, link_callbacks
from runexp.compiler.checkpoints import link_checkpoints
from runexp.compiler.findings import Path
from runexp.compiler.fitting import Fitted, check_fitted, link_fit
from runexp.compiler.freezing import Freezing
from runexp.compiler.guards import alert_of
from runexp.compiler.judged_lanes import Judged, link_judged
from runexp.compiler.lanes import link_lanes
from runexp.compiler.learning import check_callbacks, learners, link_learning
from runexp.compiler.losses import link_losses
from runexp.compiler.metrics import link_metrics
from runexp.compiler.optimizing import link_optimizer, link_schedule
from runexp.compiler.recording import link_recorders, recorded
from runexp.compiler.routes import data_of, graph_is_damaged
from runexp.compiler.scope import Scope
from runexp.compiler.turns import link_turns
from runexp.plan.phases import (
    ClipPlan,
    EvalPlan,
    GroupPlan,
    PhasePlan,
    TrainPlan,
)
from runexp.plan.values import FrozenMap
from runexp.records import dataclass
from runexp.source.nodes import COMMAND_LINE as OVERRIDES
from runexp.spec.phases import (
    Clip,
    EvalPhase,
    FitPhase,
    Phase,
    PhaseGroup,
    TrainPhase,
)
from runexp.spec.shape import dotted


@dataclass(frozen=True, slots=True)
class Progress:
    """What the phases so far have done to the graph."""

    fitted: Fitted
    freezing: Freezing


def link_phases(scope: Scope) -> tuple[PhasePlan, ...]:
    """Every phase that could be linked, in the order written."""
    return _phases(scope, scope.found.spec.phases, ("phases",), "", Progress(Fitted(scope.nodes), Freezing(scope)))


def _phases(
    scope: Scope, written: Mapping[str, Phase], path: Path, prefix: str, progress: Progress
) -> tuple[PhasePlan, ...]:
    linked = []
    for name, phase in written.items():
        plan = _phase(scope, phase, (*path, name), f"{prefix}{name}", progress)
        if plan is not None:
            linked.append(plan)
    return tuple(linked)


def _phase(scope: Scope, phase: Phase, path: Path, label: str, progress: Progress) -> PhasePlan | None:
    match phase:
        case TrainPhase():
            return _train(scope, phase, path, label, progress)
        case EvalPhase():
            return _eval(scope, phase, path, label, progress)
        case FitPhase():
            return link_fit(scope, phase, path, label, progress.fitted)
        case PhaseGroup():
            phases = _phases(scope, phase.phases, (*path, "phases"), f"{label}/", progress)
            return GroupPlan(label, phases, scope.found.origin(path))


def _train(scope: Scope, phase: TrainPhase, path: Path, label: str, progress: Progress) -> TrainPlan | None:
    learning = learners(scope, phase)
    if learning:
        return _learn(scope, phase, learning, (path, label), progress)
    if not phase.losses and not scope.found.is_damaged((*path, "losses")):
        _report_no_losses(scope, path)
        return None
    losses = link_losses(scope, phase.losses, (*path, "losses"))
    judged = tuple(dict.fromkeys(loss.node for loss in losses))
    nodes = scope.needed(judged)
    drawing = link_lanes(scope, phase, nodes, losses, path)
    progress.freezing.apply(phase, path)
    trains = _trained(scope, phase, nodes, progress.freezing, path)
    check_fitted(scope, nodes, progress.fitted, path)
    _check_length(scope, phase, path)
    watched = Watched(label, losses, phase.losses, _judged_length(scope, phase, path), drawing.lanes, trains)
    callbacks, numbers = link_callbacks(scope, phase.callbacks, watched, (*path, "callbacks"))
    callbacks = alert_of(scope, callbacks, numbers)
    turns = link_turns(scope, phase, losses, trains, path)
    callbacks += link_recorders(scope, phase, path, comes_alone=not drawing.lanes)
    trains = tuple(name for name in trains if any(name in turn.trains for turn in turns)) if turns else trains
    optimizer = None if phase.optimizers else link_optimizer(scope, phase.optimizer, trains, (*path, "optimizer"))
    schedule = link_schedule(scope, phase.schedule, numbers, (*path, "schedule"))
    checkpoints = link_checkpoints(scope, phase.checkpoints, numbers, label, (*path, "checkpoints"))
    if not (optimizer or turns) or not losses:
        return None
    return TrainPlan(
        label=label,
        split=drawing.split,
        data=drawing.data,
        nodes=nodes,
        trains=trains,
        losses=losses,
        batches=drawing.batches,
        n_epochs=phase.epochs or 0,
        n_steps=phase.steps or 0,
        optimizer=optimizer,
        schedule=schedule,
        clip=_clip(scope, phase.clip, (*path, "clip")),
        accumulate=phase.accumulate,
        callbacks=callbacks,
        checkpoints=checkpoints,
        origin=scope.found.origin(path),
        freezing=progress.freezing.rules(trains),
        lanes=drawing.lanes,
        batch_schedule=drawing.schedule,
        turns=turns,
        precision=phase.precision or scope.found.spec.execution.precision,
    )


def _learn(
    scope: Scope, phase: TrainPhase, learning: tuple[str, ...], where: tuple[Path, str], progress: Progress
) -> TrainPlan | None:
    """A train phase in which estimators take batches."""
    path, label = where
    learns = link_learning(scope, phase, learning, path)
    nodes = scope.needed(learning)
    drawing = link_lanes(scope, phase, nodes, (), path)
    if drawing.lanes:
        message = f"`{learning[0]}` takes the rows of one feature set, one by one, and here they are drawn together"
        scope.found.error("wrong-value", message, path, part="key", help="`batches: {size: …, shuffle: true}`")
    waiting = tuple(name for name in learning if name in progress.fitted.waiting)
    check_fitted(scope, tuple(name for name in nodes if name not in learning), progress.fitted, path)
    progress.fitted.mark(learning)
    _check_length(scope, phase, path)
    watched = Watched(label, (), (), _judged_length(scope, phase, path), (), ())
    callbacks, numbers = link_callbacks(scope, phase.callbacks, watched, (*path, "callbacks"))
    check_callbacks(scope, callbacks, waiting, phase, (*path, "callbacks"))
    return TrainPlan(
        label=label,
        split=drawing.split,
        data=drawing.data,
        nodes=nodes,
        trains=(),
        losses=(),
        batches=drawing.batches,
        n_epochs=phase.epochs or 0,
        n_steps=phase.steps or 0,
        optimizer=None,
        schedule=None,
        clip=ClipPlan(0.0, 0.0),
        accumulate=1,
        callbacks=callbacks,
        checkpoints=link_checkpoints(scope, phase.checkpoints, numbers, label, (*path, "checkpoints")),
        origin=scope.found.origin(path),
        learns=FrozenMap(learns),
    )


def _report_no_losses(scope: Scope, path: Path) -> None:
    scope.found.error(
        "missing-key",
        f"`{dotted(path)}` lacks the key `losses`",
        path,
        part="key",
        label="`losses` is missing",
        help="what is minimised: names or definitions; estimators with `partial_fit` under `nodes` need none",
    )


def _eval(scope: Scope, phase: EvalPhase, path: Path, label: str, progress: Progress) -> EvalPlan | None:
    losses = link_losses(scope, phase.losses, (*path, "losses"))
    metrics = link_metrics(scope, phase.metrics, losses, (*path, "metrics"))
    if not phase.losses and not phase.metrics and not scope.found.is_damaged(path):
        scope.found.error(
            "nothing-to-do",
            f"the eval phase `{label}` has neither losses nor metrics",
            path,
            part="key",
            help="name what is measured: `losses: […]`, `metrics: [accuracy]`",
        )
    judged = tuple(dict.fromkeys([*(loss.node for loss in losses), *(metric.node for metric in metrics)]))
    nodes, data = scope.needed(judged), data_of(scope, judged, (*losses, *metrics))
    scope.check_split(phase.split, data, (*path, "split"))
    check_fitted(scope, nodes, progress.fitted, path)
    items = Judged(nodes, (*losses, *metrics), data, phase.split, phase.batch_size)
    lanes = link_judged(scope, items, phase.sampler, (), path)
    if not judged:
        return None
    data = lanes[0].data if lanes else data
    origin = scope.found.origin(path)
    return EvalPlan(
        label, phase.split, data, nodes, losses, metrics, phase.batch_size, "", origin, lanes, recorded(phase)
    )


def _trained(
    scope: Scope, phase: TrainPhase, nodes: tuple[str, ...], freezing: Freezing, path: Path
) -> tuple[str, ...]:
    """The nodes the optimizer moves; reports a phase that has none."""
    for index, name in enumerate(phase.nodes or ()):
        scope.knows_node(name, (*path, "nodes", index))
    trains = tuple(
        name
        for name in nodes
        if scope.nodes[name].kind in ("module", "layers")
        and not freezing.holds(name)
        and (phase.nodes is None or name in phase.nodes)
    )
    is_known = all(name in scope.nodes for name in phase.nodes or ())
    moves = [name for name in trains if name in scope.found.spec.nodes and scope.found.spec.nodes[name].merge is None]
    if nodes and not moves and is_known and not graph_is_damaged(scope):
        scope.found.error(
            "nothing-to-do",
            f"the train phase `{path[-1]}` has nothing to train",
            path,
            part="key",
            help=f"the nodes it needs are estimators or frozen: {', '.join(nodes)}",
        )
    return trains


def _check_length(scope: Scope, phase: TrainPhase, path: Path) -> None:
    if phase.epochs is not None and phase.steps is not None:
        scope.found.error("exclusive-keys", "`epochs` and `steps` exclude each other", (*path, "steps"), part="key")
    elif phase.epochs is None and phase.steps is None and not scope.found.is_damaged(path):
        scope.found.error(
            "missing-key",
            f"`{dotted(path)}` lacks the key `epochs`",
            path,
            part="key",
            label="how long it trains is missing",
            help="`epochs: 10` counts passes over the split, `steps: 1000` counts updates",
        )


def _judged_length(scope: Scope, phase: TrainPhase, path: Path) -> int | None:
    """The epochs that callbacks are judged by; None for a phase by steps, or one shortened on the command line."""
    is_override = scope.found.document.span_of((*path, "epochs")).file == OVERRIDES
    return None if is_override else phase.epochs


def _clip(scope: Scope, clip: Clip | None, path: Path) -> ClipPlan:
    if clip and clip.norm is None and clip.value is None and not scope.found.is_damaged(path):
        help = "`norm: 1.0` bounds the total norm, `value: 0.5` each gradient"
        scope.found.error(
            "missing-key", f"`{dotted(path)}` has neither `norm` nor `value`", path, part="key", help=help
        )
    return ClipPlan(clip.norm or 0.0, clip.value or 0.0) if clip else ClipPlan(0.0, 0.0)
