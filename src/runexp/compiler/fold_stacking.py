"""What `cv: {execution: vectorized}` cannot train at once, as far as the spec tells: the rest is tried before a run."""

from __future__ import annotations

from collections.abc import Iterator

from runexp.compiler.addresses import path_of_address
from runexp.compiler.findings import Path
from runexp.compiler.scope import Scope
from runexp.plan.experiment import walk
from runexp.plan.graph import NodePlan
from runexp.plan.phases import RECORD_GRADIENTS, RECORD_OUTPUTS, BuiltInPlan, EvaluationPlan, PhasePlan, TrainPlan
from runexp.plan.values import Call

_PATH: Path = ("cv", "execution")
_HINT = "`cv: {execution: processes}` trains the folds side by side"
_CALLBACKS = {
    RECORD_GRADIENTS: "keeps what every batch gives",
    RECORD_OUTPUTS: "keeps what every batch gives",
    **dict.fromkeys(("ema", "histograms", "nan_guard", "norms", "time_limit"), "looks at every batch"),
    **dict.fromkeys(("freeze", "gradual_unfreezing", "unfreeze"), "changes what trains from one epoch to the next"),
}
_DROPS = {"AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"}
_RECURS = {"GRU", "LSTM", "RNN"}


def check_stacking(scope: Scope, phases: tuple[PhasePlan, ...]) -> None:
    """Report every part of the phases of a fold that has no form for several folds at once."""
    cv = scope.found.spec.cv
    if cv is None or cv.execution != "vectorized":
        return
    training = [
        phase
        for phase in walk(tuple(phase for phase in phases if not cv.phases or phase.label in cv.phases))
        if isinstance(phase, TrainPlan)
    ]
    if not training and not scope.found.has_errors:
        scope.found.error("not-vectorizable", "no phase of the folds trains by steps", _PATH, help=_HINT)
    if scope.found.spec.execution.compile:
        _refuse(scope, "a compiled module takes the weights of one fold", ("execution", "compile"))
    guards = scope.found.spec.guards
    if guards is not None and guards.on_nan == "skip":
        _refuse(scope, "a step cannot be left out for one of them", ("guards", "on_nan"))
    for phase in training:
        for reason, address in _reasons(scope, phase):
            _refuse(scope, reason, path_of_address(address))


def _refuse(scope: Scope, reason: str, path: Path) -> None:
    message = f"the folds cannot be trained at once: {reason}"
    scope.found.error("not-vectorizable", message, path, part="key", help=_HINT)


def _reasons(scope: Scope, phase: TrainPlan) -> Iterator[tuple[str, str]]:
    """Each with the address of what it is about."""
    asked = {
        f"`{phase.label}` draws rows together, or from several bindings": bool(phase.lanes),
        f"`{phase.label}` has several optimizers": bool(phase.turns),
        f"`{phase.label}` trains an estimator by batches": bool(phase.learns),
        f"`{phase.label}` computes in {phase.precision}": phase.precision != "fp32",
    }
    yield from ((reason, phase.origin.path) for reason, is_so in asked.items() if is_so)
    for item in phase.callbacks:
        if isinstance(item, EvaluationPlan) and item.every_n_steps:
            yield f"`{item.name}` evaluates amid epochs", item.origin.path
        if isinstance(item, BuiltInPlan) and item.use in _CALLBACKS:
            yield f"`{item.name}` {_CALLBACKS[item.use]}", item.origin.path
    for name in phase.nodes:
        for reason in _of_node(scope.nodes[name], trains=name in phase.trains):
            yield f"`{name}` {reason}", scope.nodes[name].origin.path


def _of_node(node: NodePlan, *, trains: bool) -> Iterator[str]:
    if node.chunk_size or node.checkpointing:
        yield "trades time for memory, and all folds are held at once"
    if trains and any(_drops(call) for call in node.calls):
        yield "drops activations at random, and each fold draws its own numbers"
    if any(_recurs(call) for call in node.calls):
        yield "is recurrent, and torch has no form of it for several folds"


def _drops(call: Call) -> bool:
    share = call.arguments.get("p", 0.5) if _attribute(call) in _DROPS else call.arguments.get("dropout", 0.0)
    return isinstance(share, (int, float)) and share > 0


def _recurs(call: Call) -> bool:
    return call.code is None and _attribute(call) in _RECURS


def _attribute(call: Call) -> str:
    return call.target.rpartition(":")[2].rpartition(".")[2]
