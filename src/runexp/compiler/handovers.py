"""Weights that a node takes from a phase of the run once that is over (S-14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runexp.compiler.findings import Path
from runexp.compiler.scope import Scope
from runexp.diagnostics import nearest
from runexp.plan.experiment import walk
from runexp.plan.graph import NodePlan, WeightsPlan
from runexp.plan.phases import PhasePlan, TrainPlan


def link_handovers(scope: Scope, nodes: tuple[NodePlan, ...], phases: tuple[PhasePlan, ...]) -> tuple[NodePlan, ...]:
    """The nodes with the phases that give them weights; reports phases, nodes and checkpoints that there are not."""
    trained = {phase.label: phase for phase in walk(phases) if isinstance(phase, TrainPlan)}
    linked = []
    for node in nodes:
        weights = node.weights
        if weights is not None and weights.kind == "phase":
            weights = _of_phase(scope, node, weights, trained)
        linked.append(replace(node, weights=weights) if weights is not node.weights else node)
    return tuple(linked)


def _of_phase(
    scope: Scope, node: NodePlan, weights: WeightsPlan, trained: Mapping[str, TrainPlan]
) -> WeightsPlan | None:
    place: Path = ("nodes", node.name, "weights", "from")
    label, checkpoint = _divided(weights, trained)
    if label not in trained:
        _report_phase(scope, label, trained, place)
        return None
    if weights.node and not scope.knows_node(weights.node, ("nodes", node.name, "weights", "node")):
        return None
    if not checkpoint and weights.node in ("", node.name):
        help = "name another `node:`, or the `checkpoint:` it goes back to, such as `best`"
        scope.found.error("wrong-value", f"`{node.name}` has these weights when `{label}` ends", place, help=help)
        return None
    _check_checkpoint(scope, trained[label], checkpoint, place)
    return replace(weights, giver=label, checkpoint=checkpoint, node=weights.node or node.name)


def _divided(weights: WeightsPlan, trained: Mapping[str, TrainPlan]) -> tuple[str, str]:
    """The label of a phase and the name of a checkpoint: `phase:train/best` says both."""
    label, _, last = weights.giver.rpartition("/")
    if weights.checkpoint or weights.giver in trained or not label or label not in trained:
        return weights.giver, weights.checkpoint
    return label, last


def _report_phase(scope: Scope, label: str, trained: Mapping[str, TrainPlan], place: Path) -> None:
    if scope.found.is_damaged(("phases",)) or (scope.found.has_errors and not nearest(label, tuple(trained))):
        return  # the phase itself may be what is broken
    scope.found.unknown("phase", label, place, tuple(trained))


def _check_checkpoint(scope: Scope, phase: TrainPlan, checkpoint: str, place: Path) -> None:
    saves = phase.checkpoints
    if not checkpoint:
        return
    if saves is None:
        message = f"`{phase.label}` saves no checkpoints, so there is no `{checkpoint}`"
        scope.found.error("wrong-value", message, place, help="`checkpoints: {monitor: val_loss}` in the phase")
    elif checkpoint == "best" and not saves.monitor:
        message = f"the checkpoints of `{phase.label}` have no best"
        scope.found.error("wrong-value", message, place, help="name a metric in them: `monitor: val_loss`")
