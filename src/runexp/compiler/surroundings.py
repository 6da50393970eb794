"""The pass over what stands around the phases: samplers, guards, registration, and the names in them."""

from __future__ import annotations

from runexp.compiler.final_numbers import FinalNumbers, check_number, final_numbers
from runexp.compiler.findings import Path
from runexp.compiler.guards import check_alert
from runexp.compiler.scope import Scope
from runexp.plan.experiment import walk
from runexp.plan.names import why_no_run_name
from runexp.plan.phases import PhasePlan, TrainPlan


def check_surroundings(scope: Scope, phases: tuple[PhasePlan, ...]) -> None:
    """Report unknown names in sections that refer to data, nodes, phases and their numbers."""
    numbers = final_numbers(phases)
    spec = scope.found.spec
    _check_name(scope)
    if spec.guards is not None:
        trained = [phase for phase in walk(phases) if isinstance(phase, TrainPlan)]
        check_alert(scope.found, trained)
        _check_numbers(scope, spec.guards.require, numbers, ("guards", "require"))
    if spec.register_as is not None:
        for index, name in enumerate(spec.register_as.nodes or ()):
            scope.knows_node(name, ("register", "nodes", index))
        _check_numbers(scope, spec.register_as.only_if, numbers, ("register", "only_if"))


def _check_name(scope: Scope) -> None:
    name = scope.found.spec.name
    reason = why_no_run_name(name)
    if reason:
        scope.found.error(
            "invalid-name",
            f"`{name}` cannot name a run: {reason}",
            ("name",),
            label="names the run folder",
            help="run folders are named by it, and are to be copied to any system: give it another name",
        )


def _check_numbers(scope: Scope, wanted: object, numbers: FinalNumbers, path: Path) -> None:
    for address in wanted if isinstance(wanted, dict) else ():
        check_number(scope, address, numbers, (*path, address), part="key")


def _check_set(scope: Scope, name: str, path: Path, *, part_is_key: bool = False) -> bool:
    names = scope.found.names("data")
    if name not in names:
        scope.found.unknown("feature set", name, path, names, part="key" if part_is_key else "value")
    return name in names
