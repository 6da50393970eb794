"""Planned phases → outline, every default visible."""

from __future__ import annotations

from runexp.plan.graph import LossPlan, MetricPlan, Route
from runexp.plan.lanes import LaneFeed, LanePlan
from runexp.plan.phases import (
    BuiltInPlan,
    CallbackPlan,
    CheckpointPlan,
    ClipPlan,
    EvalPlan,
    EvaluationPlan,
    FitPlan,
    FreezeRule,
    GroupPlan,
    OptimizerPlan,
    OwnCallbackPlan,
    PhasePlan,
    SchedulePlan,
    TrainPlan,
    TurnPlan,
)
from runexp.plan.samplers import MatchPlan, SamplerPlan
from runexp.report.outline import Branch, called, described, listed, literal


def outline_phase(phase: PhasePlan) -> Branch:
    """A phase or group with everything it needs to run."""
    match phase:
        case TrainPlan():
            return _train(phase)
        case EvalPlan():
            return Branch(phase.label, f"evaluate on {phase.split}", _evaluated(phase))
        case FitPlan():
            return _fit(phase)
        case GroupPlan():
            return Branch(phase.label, "group", tuple(outline_phase(inner) for inner in phase.phases))


def _train(phase: TrainPlan) -> Branch:
    if phase.learns:
        return _learn(phase)
    length = f"{phase.n_epochs} epochs" if phase.n_epochs else f"{phase.n_steps} steps"
    frozen = [name for name in phase.nodes if name not in phase.trains]
    return Branch(
        phase.label,
        f"train on {phase.split} for {length}",
        (
            Branch("data", listed(phase.data)),
            Branch("nodes", f"{listed(phase.nodes)} · trains {listed(phase.trains)} · holds {listed(frozen)}"),
            *_freezing(phase.freezing),
            Branch("losses", below=tuple(_loss(loss) for loss in phase.losses)),
            *(_lanes(phase) if phase.lanes else (Branch("batches", described(phase.batches)),)),
            *((_optimizer(phase.optimizer),) if phase.optimizer else (_turns(phase.turns),)),
            _schedule(phase.schedule),
            _clip(phase.clip),
            Branch(
                "accumulate",
                f"{phase.accumulate} batches a step" if phase.accumulate > 1 else "every batch is a step",
            ),
            *((Branch("precision", phase.precision),) if phase.precision != "fp32" else ()),
            Branch("callbacks", "" if phase.callbacks else "none", tuple(map(outline_callback, phase.callbacks))),
            _checkpoints(phase.checkpoints),
        ),
    )


def _learn(phase: TrainPlan) -> Branch:
    """A phase in which estimators take batches."""
    length = f"{phase.n_epochs} epochs" if phase.n_epochs else f"{phase.n_steps} steps"
    learned = [f"{name} ← {'.'.join(target)}" if target else name for name, target in phase.learns.items()]
    return Branch(
        phase.label,
        f"train on {phase.split} for {length}",
        (
            Branch("data", listed(phase.data)),
            Branch("nodes", listed(phase.nodes)),
            Branch("learn by partial_fit", listed(learned)),
            Branch("batches", described(phase.batches)),
            Branch("callbacks", "" if phase.callbacks else "none", tuple(map(outline_callback, phase.callbacks))),
            _checkpoints(phase.checkpoints),
        ),
    )


def _lanes(phase: TrainPlan) -> tuple[Branch, ...]:
    lanes = Branch("lanes", below=tuple(_lane(lane) for lane in phase.lanes))
    several = sum(len(lane.streams) for lane in phase.lanes) > 1
    return (lanes, Branch("batch schedule", phase.batch_schedule)) if several else (lanes,)


def _lane(lane: LanePlan) -> Branch:
    """A drawing and what it feeds: `head ← digits.pixels`, with the call where a node has several."""
    feeds = tuple(
        Branch(f"{feed.node} ({feed.call})" if feed.call else feed.node, _fed(feed, lane)) for feed in lane.feeds
    )
    drawn = Branch("sampler", _sampled(lane.sampler)) if lane.sampler else Branch("batches", described(lane.batches))
    return Branch(lane.name, f"{listed(lane.data)} · {lane.split}", (drawn, *feeds))


def _sampled(sampler: SamplerPlan) -> str:
    sides = {"match": sampler.match, "mismatch": sampler.mismatch, **sampler.others}
    conditions = [f"{name}: {listed(map(_condition, matches))}" for name, matches in sides.items() if matches]
    return " · ".join((described(sampler, leave_out=("match", "mismatch", "others")), *conditions))


def _condition(match: MatchPlan) -> str:
    wanted = {"same": match.same, "within": match.within, "beyond": match.beyond}
    return f"{match.column} " + " ".join(
        f"{name} {literal(value)}" for name, value in wanted.items() if value is not None
    )


def _fed(feed: LaneFeed, lane: LanePlan) -> str:
    stream = f" · stream {feed.stream}" if feed.stream else ""
    roles = f" · once for each of {listed(lane.roles)}" if any(lane.roles) else ""
    return f"← {feed.data}.{feed.key}{stream}{roles}"


def _freezing(rules: tuple[FreezeRule, ...]) -> tuple[Branch, ...]:
    """What was said about the nodes that train; nothing where they train as a whole."""
    said = [f"{'holds' if rule.is_frozen else 'trains'} {rule.pattern}" for rule in rules]
    return (Branch("freezing", " · then ".join(said)),) if said else ()


def _fit(phase: FitPlan) -> Branch:
    targets = {node: ".".join(target) for node, target in phase.targets.items()}
    then = "frozen afterwards" if phase.freeze_after_fit else "not frozen afterwards"
    runs = [name for name in phase.runs if name not in phase.nodes]
    return Branch(
        phase.label,
        f"fit on {phase.split}",
        (
            Branch("data", listed(phase.data)),
            Branch("fits", f"{listed(phase.nodes)} · {then}"),
            Branch("runs before", listed(runs)),
            Branch("targets", listed((f"{node} ← {target}" for node, target in targets.items()))),
        ),
    )


def _evaluated(evaluation: EvalPlan) -> tuple[Branch, ...]:
    losses = tuple(_loss(loss) for loss in evaluation.losses)
    order = "as they are drawn, once and for all" if evaluation.lanes else "in the order of the rows"
    metrics = tuple(_metric(metric) for metric in evaluation.metrics)
    return (
        Branch("data", listed(evaluation.data)),
        Branch("nodes", listed(evaluation.nodes)),
        Branch("batches", f"size={evaluation.batch_size}, {order}"),
        *((Branch("lanes", below=tuple(_lane(lane) for lane in evaluation.lanes)),) if evaluation.lanes else ()),
        Branch("losses", "" if losses else "none", losses),
        Branch("metrics", "" if metrics else "none", metrics),
        Branch("reports", listed(evaluation.produces)),
        *((Branch("records", f"{listed(evaluation.record)} of every row"),) if evaluation.record else ()),
    )


def _loss(loss: LossPlan) -> Branch:
    details = [
        f"on {loss.node}",
        _routes(loss.routes),
        f"weight {_weight(loss)}",
        "target shaped like the output" if loss.elementwise else "",
    ]
    return Branch(loss.name, " · ".join((called(loss.call), *(detail for detail in details if detail))))


def _weight(loss: LossPlan) -> str:
    curve = loss.curve
    if curve is None:
        return f"{loss.weight:g}"
    length = f"{curve.n_epochs} epochs" if curve.n_epochs else "the phase"
    return f"{curve.start:g} → {curve.end:g}, {curve.kind} over {length}; {curve.end:g} in evaluations"


def _metric(metric: MetricPlan) -> Branch:
    better = {True: "higher is better", False: "lower is better", None: "no better direction"}
    wants = f"wants {metric.wants}" + (f" by {metric.decision}" if metric.decision != "as_is" else "")
    units = {"": (), "original": ("in the target's own units",), "transformed": ("in transformed units",)}[metric.units]
    details = (called(metric.call), f"on {metric.node}", _routes(metric.routes), wants, *units)
    return Branch(metric.name, " · ".join((*details, better[metric.higher_is_better])))


def _routes(routes: tuple[Route, ...]) -> str:
    fed = (f"{route.argument}={route}" if route.argument else str(route) for route in routes)
    return f"← {listed(fed, nothing='nothing')}"


def _optimizer(optimizer: OptimizerPlan) -> Branch:
    groups = tuple(Branch(pattern, literal(options)) for pattern, options in optimizer.groups.items())
    below = (Branch("groups", "the others as above", groups),) if groups else ()
    decays = " · weight decay on matrices only" if optimizer.decays == "matrices" else ""
    return Branch("optimizer", called(optimizer.call) + decays, below)


def _turns(turns: tuple[TurnPlan, ...]) -> Branch:
    """Several optimizers: what each moves, for which losses, and how."""
    return Branch("optimizers", "one after the other at each step", tuple(map(_turn, turns)))


def _turn(turn: TurnPlan) -> Branch:
    often = "every step" if turn.every_n_steps == 1 else f"every {turn.every_n_steps} steps"
    what = f"moves {listed(turn.trains)} · minimises {listed(turn.losses)} · {often}"
    return Branch(turn.name, what, (_optimizer(turn.optimizer), Branch("runs", listed(turn.runs))))


def _schedule(schedule: SchedulePlan | None) -> Branch:
    if schedule is None:
        return Branch("schedule", "none: the learning rate stays as it is")
    left_out = ("call", "interval") if schedule.call is None else ("curve", "options", "call")
    what = "" if schedule.call is None else f"{called(schedule.call)} · "
    return Branch("schedule", what + described(schedule, leave_out=left_out))


def _clip(clip: ClipPlan) -> Branch:
    bounds = [f"{name} {bound:g}" for name, bound in (("norm", clip.norm), ("value", clip.value)) if bound]
    return Branch("clip", listed(bounds, nothing="none: gradients are taken as they are"))


def outline_callback(callback: CallbackPlan) -> Branch:
    """A callback with every option."""
    if isinstance(callback, EvaluationPlan):
        every = "every epoch" if callback.every_n_epochs == 1 else f"every {callback.every_n_epochs} epochs"
        every = f"every {callback.every_n_steps} steps" if callback.every_n_steps else every
        start = "also before the first" if callback.at_start else "not before the first"
        end = ", also at the end" if callback.at_end else ""
        text = f"evaluation on {callback.evaluation.split} · {every}, {start}{end}"
        return Branch(callback.name, text, _evaluated(callback.evaluation))
    if isinstance(callback, BuiltInPlan):
        options = ", ".join(f"{name}={literal(value)}" for name, value in callback.options.items())
        return Branch(callback.name, " · ".join(part for part in (callback.use.replace("_", " "), options) if part))
    if isinstance(callback, OwnCallbackPlan):
        then = "fails the run" if callback.on_error == "fail" else "takes it out with a warning"
        return Branch(callback.name, f"{called(callback.call)} · an error in it {then}")
    return Branch(callback.name, f"early stopping · {described(callback, leave_out=('name',))}")


def _checkpoints(checkpoints: CheckpointPlan | None) -> Branch:
    return Branch("checkpoints", described(checkpoints) if checkpoints else "none")
