"""Phases without their broken parts, rehearsed, and their metrics computed on a few rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.graph import LossPlan, MetricPlan, Route
from runexp.plan.phases import EvalPlan, FitPlan, Leaf, OptimizerPlan, TrainPlan, TurnPlan
from runexp.plan.values import FrozenMap
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.few_rows import few_rows
from runexp.runtime.deep.sampling import Sampled
from runexp.runtime.graph.graph import Graph
from runexp.runtime.lanes.table import LaneTable
from runexp.runtime.rehearsal import Rehearsal

_COUNTED = frozenset({"no-batch", "nothing-to-draw", "single-row-batch", "unaligned-data", "unknown-split"})
"""What is only known where the true rows of a split are."""

_FEW_ROWS = 512


def try_phases(
    phases: Iterable[Leaf], rehearsal: Rehearsal, sets: Mapping[str, Sampled], *, computes: bool
) -> Iterator[Diagnostic]:
    """What the phases find when they are made ready; with `computes`, when their metrics are computed too."""
    for phase in phases:
        sound = _without_broken(phase, rehearsal.graph, rehearsal.sets)
        if sound is None:
            continue
        is_true = all(sets[name].is_true for name in sound.data)
        found = [item for item in rehearsal.run([sound]) if is_true or item.code not in _COUNTED]
        yield from found
        if found or isinstance(sound, FitPlan):
            continue
        if sound.lanes and is_true:
            yield from _warned(sound, rehearsal)
        if computes and not (isinstance(sound, TrainPlan) and sound.lanes):
            yield from _computed(_judging(sound), rehearsal)


def _warned(phase: TrainPlan | EvalPlan, rehearsal: Rehearsal) -> Iterator[Diagnostic]:
    """What the samplers of a phase warn of: rows that can never be drawn."""
    table = rehearsal.opening.table(phase)
    if isinstance(table, LaneTable):
        yield from (item for sampler in table.samplers.values() for item in sampler.diagnostics)


def _computed(phase: EvalPlan, rehearsal: Rehearsal) -> tuple[Diagnostic, ...]:
    """What goes wrong when losses and metrics are computed over a few rows of the split, of every class."""
    some = replace(rehearsal, sets=few_rows(rehearsal.sets, phase.split, phase.data, _FEW_ROWS))
    some = rehearsal if phase.lanes else some  # pairs are drawn from all rows
    try:
        with some.blaming(phase):
            some.compute(phase)
    except SpecError as error:
        return error.diagnostics
    return ()


def _judging(phase: TrainPlan | EvalPlan) -> EvalPlan:
    """The phase as an evaluation: for training, of its losses on the rows that it would train on."""
    if isinstance(phase, EvalPlan):
        return phase
    size = phase.batches.size
    return EvalPlan(phase.label, phase.split, phase.data, phase.nodes, phase.losses, (), size, "", phase.origin)


def _without_broken(phase: Leaf, graph: Graph, sets: Mapping[str, FeatureSet]) -> Leaf | None:
    """The phase without the nodes, losses and metrics that mistakes found before stand in the way of."""
    data = tuple(name for name in phase.data if sets[name].gathered)
    if not data:
        return None
    if isinstance(phase, FitPlan):
        return replace(phase, data=data)
    if any(not sets[name].gathered for lane in phase.lanes for name in lane.data):
        return None
    built = tuple(name for name in phase.nodes if graph.is_built((name,)))
    losses = tuple(loss for loss in phase.losses if _is_whole(loss, graph, sets))
    if isinstance(phase, EvalPlan):
        metrics = tuple(metric for metric in phase.metrics if _is_whole(metric, graph, sets))
        is_left = bool(losses or metrics)
        return replace(phase, data=data, nodes=built, losses=losses, metrics=metrics) if is_left else None
    trains = tuple(name for name in phase.trains if name in built)
    if not trains or not losses:
        return None
    trimmed = _trimmed(phase, data, built, trains, losses)
    return trimmed if trimmed.optimizers else None


def _trimmed(
    phase: TrainPlan, data: Sequence[str], built: Sequence[str], trains: Sequence[str], losses: Sequence[LossPlan]
) -> TrainPlan:
    return replace(
        phase,
        data=tuple(data),
        nodes=tuple(built),
        trains=tuple(trains),
        losses=tuple(losses),
        optimizer=phase.optimizer and _grouping(phase.optimizer, trains),
        turns=tuple(turn for turn in (_turn(turn, built, losses) for turn in phase.turns) if turn.trains),
    )


def _turn(turn: TurnPlan, built: Sequence[str], losses: Sequence[LossPlan]) -> TurnPlan:
    left = tuple(loss.name for loss in losses if loss.name in turn.losses)
    trains = tuple(name for name in turn.trains if name in built) if left else ()
    return replace(turn, trains=trains, losses=left, optimizer=_grouping(turn.optimizer, trains))


def _grouping(optimizer: OptimizerPlan, trains: Sequence[str]) -> OptimizerPlan:
    """The optimizer without groups of nodes that are not there."""
    groups = {
        pattern: options
        for pattern, options in optimizer.groups.items()
        if any(fnmatchcase(name, pattern.partition(".")[0]) for name in trains)
    }
    return replace(optimizer, groups=FrozenMap(groups))


def _is_whole(item: LossPlan | MetricPlan, graph: Graph, sets: Mapping[str, FeatureSet]) -> bool:
    def is_there(route: Route) -> bool:
        match route.source:
            case "node" | "sampler":
                return graph.is_built((route.name,))
            case "pairs":
                return route.key in sets[route.name].pairs
            case "data":
                return route.key in sets[route.name].gathered

    return graph.is_built((item.node,)) and all(map(is_there, item.routes))
