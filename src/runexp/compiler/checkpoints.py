"""The checkpoint pass: when a train phase and the experiment save, and under which names."""

from __future__ import annotations

from collections.abc import Iterable

from runexp.compiler.callbacks import Numbers, monitored
from runexp.compiler.findings import Path
from runexp.compiler.scope import Scope
from runexp.diagnostics import Severity, did_you_mean
from runexp.plan.experiment import walk
from runexp.plan.phases import CheckpointPlan, GroupPlan, PhasePlan, RunCheckpointPlan
from runexp.plan.templates import POSITION, fields_of, why_no_template
from runexp.spec.phases import Checkpoints

_NAMES = {
    "phase_start": "start",
    "epoch_start": "epoch-{epoch:4}-start",
    "batch_start": "epoch-{epoch:4}-batch-{batch:6}-start",
    "batch_end": "epoch-{epoch:4}-batch-{batch:6}",
    "epoch_end": "epoch-{epoch:4}",
    "phase_end": "end",
}
_MEASURED_AT = ("epoch_end", "phase_end")
_FINAL = "final"


def link_checkpoints(
    scope: Scope, written: Checkpoints | None, numbers: Numbers, label: str, path: Path
) -> CheckpointPlan | None:
    """When a train phase saves; None where it never does."""
    if written is None:
        return None
    if written.where == "disk":
        _check_label(scope, label, path)
    _check_moment(scope, written, path)
    is_measured = written.at in _MEASURED_AT
    mode = monitored(scope, written.monitor, written.mode, numbers, (*path, "monitor")) if written.monitor else "min"
    if written.name is not None:
        _check_name(scope, written, numbers, label, (*path, "name"))
    return CheckpointPlan(
        written.at,
        written.every_n,
        written.max_to_keep or 0,
        (written.monitor or "") if is_measured else "",
        mode,
        scope.found.origin(path),
        written.where,
        written.name if written.name is not None else _NAMES[written.at],
    )


def link_run_checkpoints(scope: Scope, phases: tuple[PhasePlan, ...]) -> RunCheckpointPlan | None:
    """When the whole experiment saves; None where it never does."""
    written = scope.found.spec.checkpoints
    if written is None:
        return None
    has_groups = any(isinstance(phase, GroupPlan) for phase in walk(phases))
    for index, moment in enumerate(written.at):
        if moment.startswith("group") and not has_groups and not scope.found.is_damaged(("phases",)):
            message = f"nothing is saved at `{moment}`: the experiment has no groups"
            scope.found.error("unused-key", message, ("checkpoints", "at", index), severity=Severity.WARNING)
    return RunCheckpointPlan(written.at, written.max_to_keep or 0, scope.found.origin(("checkpoints",)))


def _check_label(scope: Scope, label: str, path: Path) -> None:
    if label.split("/")[0] == _FINAL:
        message = f"the checkpoints of `{label}` would lie where the weights at the end of the run do"
        scope.found.error("name-clash", message, path, part="key", help="give the phase another name")


def _check_moment(scope: Scope, written: Checkpoints, path: Path) -> None:
    """Report options that mean nothing at the moment that was chosen."""
    if written.monitor and written.at not in _MEASURED_AT:
        message = f"`monitor` has no number to go by at `{written.at}`: numbers are complete at the end of an epoch"
        help = "`at: epoch_end`, or no `monitor`"
        scope.found.error("exclusive-keys", message, (*path, "monitor"), part="key", help=help)
    if written.at.startswith("phase") and written.every_n > 1:
        message = f"`every_n` changes nothing at `{written.at}`, which comes once"
        scope.found.error("unused-key", message, (*path, "every_n"), part="key", severity=Severity.WARNING)


def _check_name(scope: Scope, written: Checkpoints, numbers: Numbers, label: str, path: Path) -> None:
    template, fields = str(written.name), fields_of(str(written.name))
    wrong = why_no_template(template, label)
    if wrong:
        help = "one name, no folders: letters, digits, `.`, `_`, `-` and fields in braces"
        scope.found.error("invalid-name", f"`{template}` cannot name checkpoints: {wrong}", path, help=help)
        return
    known = [*POSITION, *(numbers.modes if written.at in _MEASURED_AT else ())]
    for name in dict.fromkeys(fields):
        is_lost = name in numbers.lost or not numbers.is_whole or (numbers.is_open and written.at in _MEASURED_AT)
        if name not in known and not is_lost:
            message = f"`{{{name}}}` is nothing that is known at `{written.at}`"
            scope.found.error("wrong-value", message, path, help=did_you_mean(name, known, kind="fields"))
    missing = [name for name in _telling_apart(written.at, fields) if name not in fields]
    if missing:
        lacks = " and ".join(f"`{{{name}}}`" for name in missing)
        message = f"every checkpoint would be called the same: `{template}` lacks {lacks}"
        scope.found.error("wrong-value", message, path, help="two checkpoints never share a name")


def _telling_apart(moment: str, fields: Iterable[str]) -> tuple[str, ...]:
    """The fields without which names repeat themselves."""
    if moment.startswith("phase"):
        return ()
    return ("epoch",) if moment.startswith("epoch") else ("epoch", "batch")
