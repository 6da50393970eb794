"""Several optimizers of a train phase: each with its nodes and losses, taken in turn at every step (S-13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runexp.compiler.findings import Path
from runexp.compiler.losses import called, inline_name
from runexp.compiler.optimizing import link_optimizer
from runexp.compiler.routes import graph_is_damaged
from runexp.compiler.scope import Scope
from runexp.plan.graph import LossPlan
from runexp.plan.phases import TurnPlan
from runexp.spec.phases import NamedOptimizer, TrainPhase


def link_turns(
    scope: Scope, phase: TrainPhase, losses: Sequence[LossPlan], trains: tuple[str, ...], path: Path
) -> tuple[TurnPlan, ...]:
    """The optimizers of a phase in the order written; none where it has one. `trains` are the nodes that may move."""
    if not phase.optimizers:
        return ()
    _check_alone(scope, phase, path)
    named = {item if isinstance(item, str) else inline_name(item.use): called(scope, item) for item in phase.losses}
    written = tuple(named)
    turns: list[TurnPlan] = []
    for name, optimizer in phase.optimizers.items():
        place = (*path, "optimizers", name)
        _check_names(scope, optimizer, written, place)
        _check_moved_once(scope, name, phase, place)
        mine = [loss for label in _labels(named, optimizer) for loss in losses if loss.name == label]
        turn = _turn(scope, optimizer, mine, trains, place)
        if turn is not None:
            turns.append(turn)
    _check_minimised(scope, phase, written, path)
    return tuple(turns)


def _turn(
    scope: Scope, written: NamedOptimizer, losses: Sequence[LossPlan], trains: tuple[str, ...], path: Path
) -> TurnPlan | None:
    judged = tuple(dict.fromkeys(loss.node for loss in losses))
    read = [route.name for loss in losses for route in loss.routes]
    runs = scope.needed(tuple(dict.fromkeys([*judged, *(one for one in read if one in scope.nodes)])))
    moved = tuple(node for node in written.nodes if node in trains and node in runs)
    idle = next((index for index, node in enumerate(written.nodes) if node in scope.nodes and node not in moved), None)
    if idle is not None and judged and not graph_is_damaged(scope):
        _report_idle(scope, written, idle, runs, path)
    optimizer = link_optimizer(scope, written, moved, path)
    if optimizer is None or not moved:
        return None
    names = tuple(loss.name for loss in losses)
    return TurnPlan(str(path[-1]), optimizer, moved, names, runs, written.every_n_steps, scope.found.origin(path))


def _labels(named: Mapping[str, str], optimizer: NamedOptimizer) -> tuple[str, ...]:
    """The names that the numbers of its losses have."""
    return tuple(named[name] for name in optimizer.losses if name in named)


def _report_idle(scope: Scope, written: NamedOptimizer, index: int, runs: Sequence[str], path: Path) -> None:
    node = written.nodes[index]
    why = "it is frozen or an estimator" if node in runs else f"{', '.join(written.losses)} do not depend on it"
    message = f"`{path[-1]}` cannot move the node `{node}`: {why}"
    help = f"nodes its losses depend on: {', '.join(runs)}"
    scope.found.error("nothing-to-do", message, (*path, "nodes", index), help=help)


def _check_alone(scope: Scope, phase: TrainPhase, path: Path) -> None:
    """What is about one optimizer has no meaning beside several."""
    for key, is_said in (
        ("optimizer", phase.optimizer is not None),
        ("nodes", phase.nodes is not None),
        ("accumulate", phase.accumulate > 1),
    ):
        if is_said:
            message = f"`{key}` and `optimizers` exclude each other"
            help = "each of `optimizers` names its own `nodes`" if key == "nodes" else ""
            scope.found.error("exclusive-keys", message, (*path, key), part="key", help=help)


def _check_names(scope: Scope, written: NamedOptimizer, losses: tuple[str, ...], path: Path) -> None:
    for index, node in enumerate(written.nodes):
        scope.knows_node(node, (*path, "nodes", index))
    for index, loss in enumerate(written.losses):
        if loss not in losses:
            scope.found.unknown("loss", loss, (*path, "losses", index), losses, subject=f"the optimizer `{path[-1]}`")


def _check_moved_once(scope: Scope, name: str, phase: TrainPhase, path: Path) -> None:
    earlier = {
        node: other
        for other, optimizer in reversed(phase.optimizers.items())
        for node in optimizer.nodes
        if list(phase.optimizers).index(other) < list(phase.optimizers).index(name)
    }
    for index, node in enumerate(phase.optimizers[name].nodes):
        if node in earlier:
            message = f"the node `{node}` is moved by both `{earlier[node]}` and `{name}`"
            help = "a node belongs to one optimizer; another may minimise a loss through it without moving it"
            scope.found.error("exclusive-keys", message, (*path, "nodes", index), help=help)


def _check_minimised(scope: Scope, phase: TrainPhase, losses: tuple[str, ...], path: Path) -> None:
    minimised = {loss for optimizer in phase.optimizers.values() for loss in optimizer.losses}
    for index, loss in enumerate(losses):
        if loss not in minimised and not scope.found.is_damaged((*path, "optimizers")):
            message = f"no optimizer minimises the loss `{loss}`"
            help = "name it in the `losses` of one of `optimizers`; what is only measured belongs to an evaluation"
            scope.found.error("nothing-to-do", message, (*path, "losses", index), help=help)
