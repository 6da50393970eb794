"""What `execution: vectorized` cannot train at once, as far as the spec tells: the rest is tried before a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runexp.compiler.addresses import path_of_address
from runexp.compiler.findings import Path
from runexp.compiler.scope import Scope
from runexp.diagnostics import Diagnostic
from runexp.plan.experiment import Plan, walk
from runexp.plan.graph import NodePlan
from runexp.plan.likeness import INSTEAD
from runexp.plan.phases import RECORD_GRADIENTS, RECORD_OUTPUTS, BuiltInPlan, EvaluationPlan, PhasePlan, TrainPlan
from runexp.plan.values import Call
from runexp.records import dataclass
from runexp.source import Document
from runexp.spec.shape import dotted

_PATHS: Mapping[str, Path] = {"folds": ("cv", "execution"), "trials": ("sweep", "execution")}
_IS_FOLDED = "each of them is a cross-validation"
_FOLDS_INSTEAD = "`cv: {execution: vectorized}` trains the folds of each at once"
_CALLBACKS = {
    RECORD_GRADIENTS: "keeps what every batch gives",
    RECORD_OUTPUTS: "keeps what every batch gives",
    **dict.fromkeys(("ema", "histograms", "nan_guard", "norms", "time_limit"), "looks at every batch"),
    **dict.fromkeys(("freeze", "gradual_unfreezing", "unfreeze"), "changes what trains from one epoch to the next"),
}
_DROPS = {"AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"}
_RECURS = {"GRU", "LSTM", "RNN"}


def check_stacked_folds(scope: Scope, phases: tuple[PhasePlan, ...]) -> None:
    """Report every part of the phases of a fold that has no form for several at once."""
    cv = scope.found.spec.cv
    if cv is not None and cv.execution == "vectorized":
        _report(scope, "folds", tuple(phase for phase in phases if not cv.phases or phase.label in cv.phases))


def check_stacked_trials(scope: Scope, phases: tuple[PhasePlan, ...]) -> None:
    """The same of the trials of a sweep, as far as they are like the spec itself."""
    sweep = scope.found.spec.sweep
    if sweep is None or sweep.execution != "vectorized":
        return
    if scope.found.spec.cv is None:
        _report(scope, "trials", phases)
        return
    message = f"the trials cannot be trained at once: {_IS_FOLDED}"
    scope.found.error("not-vectorizable", message, _PATHS["trials"], help=_FOLDS_INSTEAD)


def mistakes_of_stacking(plan: Plan, document: Document, whose: str) -> tuple[Diagnostic, ...]:
    """The same of a plan whose spec does not say that it is trained together with others like it."""
    asked = _Asked(plan.phases, {node.name: node for node in plan.nodes}, plan.execution.compile, plan.guards.on_nan)
    found = [
        Diagnostic(
            "not-vectorizable",
            f"the {whose} cannot be trained at once: {reason}",
            document.span_of(path, "key"),
            help=INSTEAD[whose],
            path=dotted(path),
        )
        for reason, path in _reasons(asked)
    ]
    if plan.cv is not None:
        message = f"the {whose} cannot be trained at once: {_IS_FOLDED}"
        found.append(Diagnostic("not-vectorizable", message, document.span_of(("cv",), "key"), help=_FOLDS_INSTEAD))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be trained at once."""

    phases: tuple[PhasePlan, ...]
    nodes: Mapping[str, NodePlan]
    is_compiled: bool
    on_nan: str

    @property
    def training(self) -> list[TrainPlan]:
        """The phases that train by steps."""
        return [phase for phase in walk(self.phases) if isinstance(phase, TrainPlan)]


def _report(scope: Scope, whose: str, phases: tuple[PhasePlan, ...]) -> None:
    guards = scope.found.spec.guards
    on_nan = guards.on_nan if guards is not None else ""
    asked = _Asked(phases, scope.nodes, bool(scope.found.spec.execution.compile), on_nan or "")
    help = INSTEAD[whose]
    if not asked.training and not scope.found.has_errors:
        scope.found.error("not-vectorizable", f"no phase of the {whose} trains by steps", _PATHS[whose], help=help)
    for reason, path in _reasons(asked):
        message = f"the {whose} cannot be trained at once: {reason}"
        scope.found.error("not-vectorizable", message, path, part="key", help=help)


def _reasons(asked: _Asked) -> Iterator[tuple[str, Path]]:
    """Each with the path of what it is about."""
    if asked.is_compiled:
        yield "a compiled module takes the weights of one of them", ("execution", "compile")
    if asked.on_nan == "skip":
        yield "a step cannot be left out for one of them", ("guards", "on_nan")
    for phase in asked.training:
        for reason, address in _of_phase(phase, asked.nodes):
            yield reason, path_of_address(address)


def _of_phase(phase: TrainPlan, nodes: Mapping[str, NodePlan]) -> Iterator[tuple[str, str]]:
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
        for reason in _of_node(nodes[name], trains=name in phase.trains):
            yield f"`{name}` {reason}", nodes[name].origin.path


def _of_node(node: NodePlan, *, trains: bool) -> Iterator[str]:
    if node.chunk_size or node.checkpointing:
        yield "trades time for memory, and all of them are held at once"
    if trains and any(_drops(call) for call in node.calls):
        yield "drops activations at random, and each of them draws its own numbers"
    if any(_recurs(call) for call in node.calls):
        yield "is recurrent, and torch has no form of it for several at once"


def _drops(call: Call) -> bool:
    share = call.arguments.get("p", 0.5) if _attribute(call) in _DROPS else call.arguments.get("dropout", 0.0)
    return isinstance(share, (int, float)) and share > 0


def _recurs(call: Call) -> bool:
    return call.code is None and _attribute(call) in _RECURS


def _attribute(call: Call) -> str:
    return call.target.rpartition(":")[2].rpartition(".")[2]
