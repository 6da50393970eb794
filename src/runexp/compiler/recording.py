"""What phases record of rows and steps: in train phases callbacks that nobody wrote, in eval phases a list."""

from __future__ import annotations

from runexp.compiler.findings import Path
from runexp.compiler.scope import Scope
from runexp.plan.phases import RECORD_GRADIENTS, RECORD_OUTPUTS, BuiltInPlan, Recorded
from runexp.plan.values import FrozenMap
from runexp.spec.phases import EvalPhase, TrainPhase

_USES = {"gradients": RECORD_GRADIENTS, "outputs": RECORD_OUTPUTS}


def link_recorders(scope: Scope, phase: TrainPhase, path: Path, *, comes_alone: bool) -> tuple[BuiltInPlan, ...]:
    """A callback for each thing that a train phase records; `comes_alone`: its rows are not drawn together."""
    linked = []
    for index, what in enumerate(phase.record):
        place = (*path, "record", index)
        if what in phase.record[:index]:
            continue
        if what == "outputs" and (phase.optimizers or not comes_alone):
            why = "several optimizers run the nodes several times a step" if phase.optimizers else "here they are not"
            scope.found.error(
                "wrong-value",
                f"the `outputs` of a train phase are recorded where its rows come one by one, and {why}",
                place,
                help="`record: [outputs]` of an eval phase, or a callback of yours",
            )
            continue
        linked.append(BuiltInPlan(f"record {what}", _USES[what], FrozenMap({}), (), scope.found.origin(place)))
    return tuple(linked)


def recorded(phase: EvalPhase) -> tuple[Recorded, ...]:
    """What an eval phase keeps, each once."""
    return tuple(dict.fromkeys(phase.record))
