"""What is right and yet likely not meant: definitions nothing uses, and scores on rows that were trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from runexp.compiler.findings import Findings
from runexp.compiler.fold_checks import check_stopping
from runexp.compiler.scope import Scope
from runexp.diagnostics import Severity
from runexp.plan.experiment import leaves
from runexp.plan.phases import EvalPlan, FitPlan, PhasePlan, TrainPlan
from runexp.spec.callbacks import Evaluation
from runexp.spec.phases import EvalPhase, Phase, PhaseGroup, TrainPhase
from runexp.spec.shape import path_of


def advise(scope: Scope, phases: Sequence[PhasePlan]) -> None:
    """Warn of what a spec without errors is likely wrong about."""
    if scope.found.has_errors or any(scope.found.document.broken_paths()):
        return
    _check_unused(scope, phases)
    _check_training_rows(scope.found, phases)
    check_stopping(scope, phases)


def _check_unused(scope: Scope, phases: Sequence[PhasePlan]) -> None:
    spec = scope.found.spec
    named = set(_named(spec.phases))
    for name in named & spec.callbacks.keys():
        callback = spec.callbacks[name]
        if isinstance(callback, Evaluation):
            named |= {item for item in (*(callback.losses or ()), *callback.metrics) if isinstance(item, str)}
    plans = list(leaves(phases))
    nodes = {name for plan in plans for name in (plan.runs if isinstance(plan, FitPlan) else plan.nodes)}
    data = set(_data(scope, plans))
    drawn = {
        lane.sampler.name for plan in plans if not isinstance(plan, FitPlan) for lane in plan.lanes if lane.sampler
    }
    used = {
        "data": data,
        "samplers": drawn,
        "nodes": nodes,
        "losses": named,
        "metrics": named,
        "callbacks": named,
    }
    for section, names in used.items():
        for name in scope.found.names(section):
            if name not in names:
                scope.found.error(
                    "unused-definition",
                    f"no phase uses `{section}.{name}`",
                    (section, name),
                    part="key",
                    help="name it where it is meant to work, or remove it",
                    severity=Severity.WARNING,
                )


def _data(scope: Scope, plans: Sequence[TrainPlan | EvalPlan | FitPlan]) -> Iterator[str]:
    """The feature sets that phases draw from, the matrices that losses read, and the sets that are joined."""
    for plan in plans:
        yield from plan.data
        yield from (join.data for name in plan.data for join in scope.data[name].joins)
        judged = () if isinstance(plan, FitPlan) else plan.losses
        yield from (route.key for loss in judged for route in loss.routes if route.source == "pairs")


def _check_training_rows(found: Findings, phases: Sequence[PhasePlan]) -> None:
    """A score on training rows is likely a slip, unless its name tells that it is one."""
    trained: dict[str, str] = {}
    for plan in leaves(phases):
        if isinstance(plan, (TrainPlan, FitPlan)):
            for split in _with_common_rows(found, plan.data, plan.split):
                trained.setdefault(split, plan.label)
        elif (learner := _fitted_on_parts(found, plan)) is not None:
            found.error(
                "training-rows",
                f"`{plan.label}` evaluates the split `{plan.split}`, rows of which `{learner}` is fitted on",
                (*path_of(plan.origin.path), "split"),
                label="rows that a transform knows",
                help="fit it on the part that is trained on: `fit_on: …`",
                severity=Severity.WARNING,
            )
        elif plan.split in trained and "train" not in plan.label.rpartition("/")[2]:
            found.error(
                "training-rows",
                f"`{plan.label}` evaluates the split `{plan.split}`, which `{trained[plan.split]}` learns from",
                (*path_of(plan.origin.path), "split"),
                label="training rows",
                help="if that is meant, let its name tell: `train_score`",
                severity=Severity.WARNING,
            )


def _fitted_on_parts(found: Findings, plan: EvalPlan) -> str | None:
    """The address of a transform fitted on a split that this one is a part of, or that is a part of it."""
    for name in plan.data:
        for index, transform in enumerate(found.spec.data[name].transforms):
            known = _with_common_rows(found, (name,), transform.fit_on)
            if plan.split in known and plan.split != transform.fit_on:
                return f"data.{name}.transforms[{index}]"
    return None


def _with_common_rows(found: Findings, data: Sequence[str], split: str) -> set[str]:
    """The split, those that it is a part of, and its own parts (`within`)."""
    wholes: dict[str, str] = {}
    for name in data:
        splits = found.spec.data[name].splits
        for whole, parts in (splits.within or {}).items() if splits else ():
            wholes |= dict.fromkeys(parts, whole)
    above = _upwards(split, wholes)
    return above | {part for part in wholes if split in _upwards(part, wholes)}


def _upwards(split: str, wholes: Mapping[str, str]) -> set[str]:
    """A split and all that it is a part of."""
    above = {split}
    while split in wholes and wholes[split] not in above:
        split = wholes[split]
        above.add(split)
    return above


def _named(phases: Mapping[str, Phase]) -> Iterator[str]:
    """The names of losses, metrics and callbacks that phases list."""
    for phase in phases.values():
        if isinstance(phase, PhaseGroup):
            yield from _named(phase.phases)
        elif isinstance(phase, (TrainPhase, EvalPhase)):
            measured = phase.metrics if isinstance(phase, EvalPhase) else phase.callbacks
            yield from (item for item in (*phase.losses, *measured) if isinstance(item, str))
            if isinstance(phase, TrainPhase):
                inline = [item for item in phase.callbacks if isinstance(item, Evaluation)]
                yield from (
                    item for call in inline for item in (*(call.losses or ()), *call.metrics) if isinstance(item, str)
                )
