"""When a train phase saves its state, which checkpoints stay, and which is the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runexp.engine.callbacks import improves
from runexp.engine.protocol import CheckpointStore, State, TrainProgram
from runexp.engine.view import Snapshot
from runexp.events import CheckpointSaved, Event, dump_event
from runexp.plan.phases import CheckpointPlan, Moment
from runexp.plan.templates import filled

GoingOn = Callable[[], Mapping[str, Any]]
"""Tells what a run needs to go on from this moment."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a phase stands when it saves; `measured` are the numbers known by then."""

    epoch: int
    batch: int
    step: int
    measured: Mapping[str, float]


class CheckpointRule:
    """Saves at its moments; keeps the newest `max_to_keep`, and always the best and the last (S-37)."""

    def __init__(self, plan: CheckpointPlan, phase: str, store: CheckpointStore) -> None:
        self.at: Moment = plan.at
        self.held = store if isinstance(store, Held) else None
        self._store = store
        self._plan = plan
        self._phase = phase
        self._kept: list[str] = []
        self._best = ""
        self._best_value = math.nan

    @property
    def last(self) -> str:
        """The newest checkpoint; empty where there is none."""
        return self._kept[-1] if self._kept else ""

    def is_due(self, at: Moment, n: int, *, final: bool) -> bool:
        """Whether the n-th moment of this kind, counted from 1, is one to save at; the `final` one always is."""
        return at == self.at and (final or n % self._plan.every_n == 0)

    def save(
        self, place: Place, program: TrainProgram, going_on: GoingOn, then: tuple[Event, ...]
    ) -> Iterator[CheckpointSaved]:
        """Save; older ones go only after the new one is committed. `then` are events that are told after it."""
        values: dict[str, float | str] = {
            "phase": self._phase,
            "epoch": max(place.epoch, 0),
            "batch": place.batch,
            "step": place.step,
        }
        name = filled(self._plan.name, dict(place.measured) | values)
        saved = self._note(f"{self._phase}/{name}", place)
        state = {"phase": self._phase, "epoch": place.epoch, "step": place.step, "metrics": dict(place.measured)}
        engine = {**going_on(), "then": [dump_event(one) for one in (saved, *then)]}
        saved = self._rename(saved, self._store.save(self._phase, name, state | {"engine": engine}, program.state()))
        self._tidy()
        if self._plan.where == "disk":
            yield saved

    def state(self) -> Mapping[str, Any]:
        """Which checkpoints there are and which is the best."""
        held = self.held.state() if self.held else None
        return {"kept": list(self._kept), "best": self._best, "best_value": self._best_value, "held": held}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""
        self._kept, self._best, self._best_value = list(state["kept"]), state["best"], state["best_value"]
        if self.held:
            self.held.load_state(state["held"])
        if self._kept:
            self._tidy()

    def _note(self, name: str, place: Place) -> CheckpointSaved:
        """Take a new checkpoint into account before it is saved: what it holds tells of itself."""
        value = place.measured.get(self._plan.monitor, math.nan) if self._plan.monitor else math.nan
        is_best = improves(value, self._best_value, self._plan.mode)
        self._kept.append(name)
        if is_best:
            self._best, self._best_value = name, value
        return CheckpointSaved(self._phase, place.epoch, place.step, name, is_best)

    def _rename(self, saved: CheckpointSaved, name: str) -> CheckpointSaved:
        """The name that the store gave it."""
        self._kept[-1] = name
        self._best = name if saved.is_best else self._best
        return CheckpointSaved(saved.phase, saved.epoch, saved.step, name, saved.is_best)

    def _tidy(self) -> None:
        self._store.point(self._phase, {"last": self._kept[-1]} | ({"best": self._best} if self._best else {}))
        surplus = len(self._kept) - self._plan.max_to_keep if self._plan.max_to_keep else 0
        for name in self._kept[: max(surplus, 0)]:
            if name != self._best:
                self._store.remove(name)
        self._kept = [name for index, name in enumerate(self._kept) if index >= surplus or name == self._best]


class Held:
    """A store in memory: weights and buffers of what trains, by name; nothing reaches a disk."""

    def __init__(self, take: Callable[[], Snapshot]) -> None:
        self._take = take
        self._held: dict[str, Mapping[str, Any]] = {}
        self._roles: Mapping[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """What can be gone back to: `last`, `best` where one is known, and each by its name."""
        return (*self._roles, *(name.rpartition("/")[2] for name in self._held))

    def save(self, phase: str, name: str, state: Mapping[str, Any], program: State) -> str:
        """Keep a copy of the weights of now."""
        full = f"{phase}/{name}"
        self._held[full] = {"epoch": state["epoch"], "metrics": state["metrics"], "snapshot": self._take()}
        return full

    def remove(self, name: str) -> None:
        """Let go of one."""
        self._held.pop(name, None)

    def point(self, phase: str, pointers: Mapping[str, str]) -> None:
        """Remember which is `last` and which is `best`."""
        self._roles = dict(pointers)

    def get(self, name: str) -> tuple[Snapshot, int, Mapping[str, float]]:
        """Weights, epoch and numbers of one, by name or role; `KeyError` where there is none."""
        wanted = self._roles.get(name)
        full = wanted or next((full for full in self._held if full.rpartition("/")[2] == name), None)
        if full is None:
            raise KeyError(name)
        held = self._held[full]
        return held["snapshot"], held["epoch"], held["metrics"]

    def state(self) -> Mapping[str, Any]:
        """All of it."""
        return {"held": dict(self._held), "roles": dict(self._roles)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""
        self._held, self._roles = dict(state["held"]), dict(state["roles"])
