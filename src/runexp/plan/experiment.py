"""The whole plan, and how it is walked, written and identified."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal

from runexp.plan.data import DataPlan
from runexp.plan.folds import CVPlan
from runexp.plan.graph import NodePlan
from runexp.plan.guards import GuardsPlan
from runexp.plan.phases import GroupPlan, Leaf, MadePlan, PhasePlan, RunCheckpointPlan, TrainPlan
from runexp.plan.refit import without_held_out
from runexp.plan.sweeps import SweepPlan
from runexp.plan.tracking import RegisterPlan, TrackingPlan
from runexp.records import dataclass


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """Where and how it computes; `threads` 0 leaves the number to torch. The precision is that of each phase."""

    device: str
    threads: int
    compile: bool = False
    deterministic: bool = False
    allocator: Literal["default", "expandable_segments"] = "default"


@dataclass(frozen=True, slots=True)
class Plan:
    """The experiment as it will run: every name linked, every default filled in, nodes in topological order."""

    name: str
    description: str
    seed: int
    data: tuple[DataPlan, ...]
    nodes: tuple[NodePlan, ...]
    phases: tuple[PhasePlan, ...]
    execution: ExecutionPlan
    cv: CVPlan | None = None
    callbacks: tuple[MadePlan, ...] = ()
    guards: GuardsPlan = GuardsPlan()
    checkpoints: RunCheckpointPlan | None = None
    sweep: SweepPlan | None = None
    tracking: TrackingPlan | None = None
    register: RegisterPlan | None = None

    def in_fold(self) -> Plan:
        """What one fold of a cross-validation runs; the plan itself where there is none."""
        if self.cv is None:
            return self
        chosen = tuple(phase for phase in self.phases if not self.cv.phases or phase.label in self.cv.phases)
        return replace(self, phases=chosen, cv=None)

    def in_refit(self) -> Plan:
        """What a refit on everything runs: the phases of a fold, without what judges the held-out part."""
        inside = self.in_fold()
        return replace(inside, phases=without_held_out(inside.phases, self.cv.held_out)) if self.cv else inside

    def unnested(self) -> Plan:
        """The plan without folds inside of its folds: all of them run with the values that are written."""
        return replace(self, cv=replace(self.cv, inner=None)) if self.cv is not None and self.cv.is_nested else self

    def node(self, name: str) -> NodePlan:
        """The node of that name; `KeyError` where there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def phase(self, label: str) -> PhasePlan:
        """The phase or group of that label, at any depth; `KeyError` where there is none."""
        for phase in walk(self.phases):
            if phase.label == label:
                return phase
        raise KeyError(label)


def walk(phases: tuple[PhasePlan, ...]) -> Iterator[PhasePlan]:
    """Every phase and group in the order they run, a group before what it holds."""
    for phase in phases:
        yield phase
        if isinstance(phase, GroupPlan):
            yield from walk(phase.phases)


def leaves(phases: Iterable[PhasePlan]) -> Iterator[Leaf]:
    """Every phase in the order they run, each followed by the evaluations inside it; groups are left out."""
    for phase in walk(tuple(phases)):
        if not isinstance(phase, GroupPlan):
            yield phase
        if isinstance(phase, TrainPlan):
            yield from phase.evaluations


def dump(value: Any) -> Any:  # noqa: ANN401 - any part of a plan
    """Plain JSON data of a plan or a part of it; each dataclass says its kind."""
    if is_dataclass(value):
        body = {field.name: dump(getattr(value, field.name)) for field in fields(value)}
        return {"kind_of": type(value).__name__} | body
    if isinstance(value, Mapping):
        return {key: dump(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [dump(item) for item in value]
    return value


def digest(plan: Plan) -> str:
    """SHA-256 of what the plan does; where it was written does not count, nor do limits, thresholds and sweeps, nor who
    is told of it."""
    sweep = plan.sweep if plan.cv is not None and plan.cv.is_nested else None  # a part of each fold there
    body = _without_origins(dump(replace(plan, sweep=sweep, tracking=None, register=None)))
    if body["cv"] and body["cv"]["inner"] is None:  # as in runs from before there were any
        del body["cv"]["inner"]
    guards = body.pop("guards")
    if guards["on_nan"] != "stop":  # it may change weights
        body["on_nan"] = guards["on_nan"]
    text = json.dumps(body, sort_keys=True, allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _without_origins(value: Any) -> Any:  # noqa: ANN401 - plain JSON data
    if isinstance(value, dict):
        return {key: _without_origins(item) for key, item in value.items() if key != "origin"}
    if isinstance(value, list):
        return [_without_origins(item) for item in value]
    return value
