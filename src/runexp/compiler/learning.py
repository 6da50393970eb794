"""Train phases of estimators: what learns by batches, through `partial_fit`, and what has no meaning there (S-24)."""

from __future__ import annotations

from collections.abc import Mapping

from runexp.compiler.findings import Path
from runexp.compiler.fitting import link_target
from runexp.compiler.scope import Scope
from runexp.compiler.streams import has_partial_fit
from runexp.plan.phases import BuiltInPlan, CallbackPlan, EarlyStoppingPlan, EvaluationPlan
from runexp.spec.phases import TrainPhase

_OF_GRADIENTS = ("losses", "optimizer", "optimizers", "schedule", "clip", "accumulate", "precision", "record")
_OF_WEIGHTS = (
    "ema", "freeze", "gradual_unfreezing", "histograms", "learning_rate_monitor", "loss_not_decreasing", "nan_guard",
    "norms", "save_best", "swa", "unfreeze",
)  # fmt: skip


def learners(scope: Scope, phase: TrainPhase) -> tuple[str, ...]:
    """The estimators among the nodes that a train phase names, in topological order."""
    named = phase.nodes or ()
    return tuple(name for name, node in scope.nodes.items() if name in named and node.is_estimator)


def link_learning(
    scope: Scope, phase: TrainPhase, learning: tuple[str, ...], path: Path
) -> Mapping[str, tuple[str, str] | None]:
    """By estimator the (feature set, key) that it learns, None for one that needs none; reports what cannot be."""
    for index, name in enumerate(phase.nodes or ()):
        place = (*path, "nodes", index)
        if name in learning:
            _check_learner(scope, name, learning, place)
        elif scope.knows_node(name, place):
            message = (
                f"`{name}` is trained by an optimizer, and `{learning[0]}` is an estimator that takes batches itself"
            )
            scope.found.error("wrong-node", message, place, help="a phase of its own for each")
    for key in _OF_GRADIENTS:
        if key in phase.model_fields_set and getattr(phase, key):
            message = f"`{key}` is about gradients, and `{learning[0]}` learns by `partial_fit`, which has none"
            scope.found.error("exclusive-keys", message, (*path, key), part="key", help="leave it out")
    for name in phase.targets:
        place = (*path, "targets", name)
        if scope.knows_node(name, place, part="key") and name not in learning:
            scope.found.error("wrong-node", f"this phase does not train the node `{name}`", place, part="key")
    return {name: link_target(scope, name, phase.targets, path) for name in learning}


def check_callbacks(
    scope: Scope, callbacks: tuple[CallbackPlan, ...], waiting: tuple[str, ...], phase: TrainPhase, path: Path
) -> None:
    """Report callbacks that need weights, and evaluations of an estimator that has learned nothing yet."""
    for index, plan in enumerate(callbacks):
        place = (*path, index) if len(callbacks) == len(phase.callbacks) else path
        name = f"`{plan.name}`"
        if isinstance(plan, BuiltInPlan) and plan.use in _OF_WEIGHTS:
            message = f"{name} looks at weights and gradients, and an estimator has neither"
            scope.found.error("wrong-value", message, place)
        elif isinstance(plan, EarlyStoppingPlan) and plan.restore_best:
            message = f"{name} restores weights, which an estimator that learns by batches does not have"
            scope.found.error("wrong-value", message, place, help="`restore_best: false`")
        elif (
            isinstance(plan, EvaluationPlan) and plan.at_start and any(one in waiting for one in plan.evaluation.nodes)
        ):
            message = f"{name} evaluates before the first epoch, when `{waiting[0]}` has learned nothing"
            scope.found.error("unfitted-node", message, place, help="`at_start: false`")


def _check_learner(scope: Scope, name: str, learning: tuple[str, ...], path: Path) -> None:
    call = scope.nodes[name].calls[0]
    if not has_partial_fit(call):
        message = f"`{name}` cannot learn by batches: `{call.name}` has no `partial_fit`"
        scope.found.error("wrong-node", message, path, help="`kind: fit` fits it on all rows of a split")
    behind = [other for other in scope.needed((name,)) if other in learning and other != name]
    if behind:
        message = f"`{name}` learns from what `{behind[0]}` gives, which this phase changes"
        scope.found.error("wrong-node", message, path, help="a phase of its own for each, one after the other")
