"""The pass over `guards`: limits in seconds and bytes, thresholds on numbers that are measured."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from runexp.compiler.callbacks import Numbers
from runexp.compiler.findings import Findings, Path
from runexp.compiler.scope import Scope
from runexp.diagnostics import did_you_mean
from runexp.plan.guards import Comparison, GuardsPlan, LimitPlan, RequirementPlan
from runexp.plan.phases import BuiltInPlan, CallbackPlan, OwnCallbackPlan, TrainPlan
from runexp.plan.values import FrozenMap

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_BYTES = {"B": 1} | {f"{sign}B": 1000**n for n, sign in enumerate("KMGT", 1)}
_BYTES |= {f"{sign}iB": 1024**n for n, sign in enumerate("KMGT", 1)}
_WRITTEN = re.compile(r"\s*([\d.]+)\s*([A-Za-z]+)\s*")
_THRESHOLD = re.compile(r"\s*(>=|<=|==|>|<)\s*(\S+)\s*")
_PATH: Path = ("guards",)
ALERT = "loss_not_decreasing"
"""The callback behind it, and the key that asks for it."""


def link_guards(found: Findings) -> GuardsPlan:
    """The guards of a run. That the numbers of thresholds exist is checked where all phases are known."""
    guards = found.spec.guards
    if guards is None:
        return GuardsPlan()
    return GuardsPlan(
        time=_limit(found, guards.time, _SECONDS, "time"),
        memory=_limit(found, guards.memory, _BYTES, "memory"),
        disk=_limit(found, guards.disk, _BYTES, "disk"),
        on_nan=guards.on_nan,
        require=tuple(requirements(found, guards.require, (*_PATH, "require"))),
    )


def alert_of(scope: Scope, callbacks: Sequence[CallbackPlan], numbers: Numbers) -> tuple[CallbackPlan, ...]:
    """The callbacks of a train phase, with the alert that `guards` asks for where the phase measures what it watches
    and has none of its own."""
    guards = scope.found.spec.guards
    watched = guards.loss_not_decreasing if guards is not None else None
    if watched is None or watched.metric not in numbers.modes:
        return tuple(callbacks)
    own = [item for item in callbacks if isinstance(item, BuiltInPlan) and item.use == ALERT]
    if any(item.options["monitor"] == watched.metric for item in own):
        return tuple(callbacks)
    mode = numbers.modes[watched.metric] or "min"
    options = {"monitor": watched.metric, "mode": mode, "patience": watched.epochs, "min_delta": 0.0}
    return (*callbacks, BuiltInPlan(ALERT, ALERT, FrozenMap(options), (), scope.found.origin((*_PATH, ALERT))))


def check_alert(found: Findings, phases: Sequence[TrainPlan]) -> None:
    """Report an alert on a number that no train phase measures."""
    watched = found.spec.guards.loss_not_decreasing if found.spec.guards is not None else None
    if watched is None or found.has_errors or any(_watches(phase, watched.metric) for phase in phases):
        return
    known = tuple(dict.fromkeys(name for phase in phases for name in numbers_of(phase)))
    found.error(
        "unknown-monitor",
        f"no train phase measures `{watched.metric}`",
        (*_PATH, ALERT, "metric"),
        label="never measured",
        help=did_you_mean(watched.metric, known, kind="measured"),
    )


def numbers_of(phase: TrainPlan) -> Iterator[str]:
    """The numbers that a train phase ends with, without those that code of the user's reports."""
    yield from (["train_loss"] if phase.losses else [])  # estimators that learn by batches have none
    yield from (f"train_{loss.name}" for loss in phase.losses)
    yield from ("lr", *(f"lr/{turn.name}" for turn in phase.turns))
    yield from (name for plan in phase.evaluations for name in plan.produces)
    yield from (name for item in phase.callbacks if isinstance(item, BuiltInPlan) for name in item.produces)


def reports_others(phase: TrainPlan) -> bool:
    """Whether code of the user's may report numbers that nobody knows beforehand."""
    return any(isinstance(item, OwnCallbackPlan) for item in phase.callbacks)


def _watches(phase: TrainPlan, metric: str) -> bool:
    alerts = (item for item in phase.callbacks if isinstance(item, BuiltInPlan) and item.use == ALERT)
    return any(item.options["monitor"] == metric for item in alerts)


def _limit(found: Findings, written: str | None, units: dict[str, int], key: str) -> LimitPlan | None:
    if written is None:
        return None
    path = (*_PATH, key)
    match = _WRITTEN.fullmatch(written)
    bound = float(match[1]) * units[match[2]] if match else 0.0  # the shape was checked when it was read
    if not bound:
        found.error("wrong-value", f"no run stays within `{key}: {written}`", path, help="leave it out for no limit")
    return LimitPlan(bound, written.strip(), found.origin(path))


def requirements(found: Findings, written_at: Mapping[str, str], path: Path) -> Iterator[RequirementPlan]:
    """The thresholds by number that stand at a path."""
    for number, written in written_at.items():
        match = _THRESHOLD.fullmatch(written)
        if match is not None:
            comparison: Comparison = match[1]  # type: ignore[assignment]  # what the pattern lets through
            yield RequirementPlan(number, comparison, float(match[2]), found.origin((*path, number)))
