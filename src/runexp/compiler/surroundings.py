"""The pass over what stands around the phases: samplers, guards, registration, and the names in them."""

from __future__ import annotations

from collections.abc import Iterator

from runexp.compiler.findings import Path
from runexp.compiler.guards import check_alert, numbers_of, reports_others
from runexp.compiler.scope import Scope
from runexp.diagnostics import did_you_mean
from runexp.plan.experiment import walk
from runexp.plan.names import why_no_run_name
from runexp.plan.phases import EvalPlan, PhasePlan, TrainPlan


def check_surroundings(scope: Scope, phases: tuple[PhasePlan, ...]) -> None:
    """Report unknown names in sections that refer to data, nodes, phases and their numbers."""
    numbers = tuple(_numbers(phases))
    spec = scope.found.spec
    _check_name(scope)
    if spec.guards is not None:
        trained = [phase for phase in walk(phases) if isinstance(phase, TrainPlan)]
        check_alert(scope.found, trained)
        own = tuple(f"{phase.label}." for phase in trained if reports_others(phase))
        asked = {name: wanted for name, wanted in spec.guards.require.items() if not name.startswith(own)}
        _check_numbers(scope, asked, numbers, ("guards", "require"))
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


def _numbers(phases: tuple[PhasePlan, ...]) -> Iterator[str]:
    """The addresses of all numbers a run ends with: `test.accuracy`."""
    for phase in walk(phases):
        if isinstance(phase, EvalPlan):
            yield from (f"{phase.label}.{name}" for name in phase.produces)
        elif isinstance(phase, TrainPlan):
            yield from (f"{phase.label}.{name}" for name in numbers_of(phase))


def _check_numbers(scope: Scope, wanted: object, numbers: tuple[str, ...], path: Path) -> None:
    for address in wanted if isinstance(wanted, dict) else ():
        _check_number(scope, address, numbers, (*path, address), part_is_key=True)


def _check_number(scope: Scope, address: str, numbers: tuple[str, ...], path: Path, *, part_is_key: bool) -> None:
    if address in numbers or scope.found.is_damaged(("phases",)) or _is_unsure(scope):
        return
    scope.found.error(
        "unknown-number",
        f"no phase ends with the number `{address}`",
        path,
        part="key" if part_is_key else "value",
        label="never measured",
        help=did_you_mean(address, numbers, kind="there are"),
    )


def _is_unsure(scope: Scope) -> bool:
    """Whether a phase could not be linked, so that what it measures is not known."""
    return scope.found.has_errors


def _check_set(scope: Scope, name: str, path: Path, *, part_is_key: bool = False) -> bool:
    names = scope.found.names("data")
    if name not in names:
        scope.found.unknown("feature set", name, path, names, part="key" if part_is_key else "value")
    return name in names
