"""The limits of a run, looked at beside it: a thread asks it to end, so that its steps cost nothing more."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from runexp.diagnostics import Diagnostic
from runexp.engine.control import Control, LimitExceeded
from runexp.plan.guards import GuardsPlan, LimitPlan
from runexp.runtime.memory import held_bytes

_TICK_S = 0.1
_SHARE = 20  # of the time, at most one part of so many goes into looking at the disk


@dataclass(frozen=True, slots=True)
class Limit:
    """One bound and what it bounds; `told` says how much was found and how much is granted."""

    name: str
    plan: LimitPlan
    measured: Callable[[], float]
    told: Callable[[float], str]

    def exceeded(self) -> LimitExceeded | None:
        """What to say where more is taken than is granted."""
        found = self.measured()
        if found <= self.plan.bound:
            return None
        error = LimitExceeded(f"{self.told(found)}, and `guards.{self.name}` is {self.plan.written}")
        error.add_note(f"in {self.plan.origin}")
        return error


@contextmanager
def held_to(guards: GuardsPlan, control: Control, folder: Path | None = None) -> Iterator[None]:
    """End the run at its next step once it takes more time, memory or disk than its guards grant.

    Time counts from here; the disk is that of `folder`, and without one is not looked at.
    """
    limits = limits_of(guards, folder)
    if not limits:
        yield
        return
    over = Event()
    watcher = Thread(target=_watch, args=(limits, control, over), daemon=True, name="runexp-limits")
    watcher.start()
    try:
        yield
    finally:
        over.set()


def limits_of(guards: GuardsPlan, folder: Path | None = None) -> list[Limit]:
    """The limits that are set."""
    began = time.monotonic()
    found = [
        (guards.time, "time", lambda: time.monotonic() - began, lambda s: f"the run has taken {s:.3g} s"),
        (guards.memory, "memory", held_bytes, lambda n: f"the process holds {n / 1e6:,.0f} MB"),
    ]
    if folder is not None:
        disk = folder
        found.append((guards.disk, "disk", lambda: folder_bytes(disk), lambda n: f"{disk} holds {n / 1e6:,.3f} MB"))
    return [Limit(name, plan, measured, told) for plan, name, measured, told in found if plan is not None]


def exceeded_at_once(guards: GuardsPlan, folder: Path | None = None) -> list[Diagnostic]:
    """Limits that leave no room for a first step, as mistakes of the spec."""
    return [
        Diagnostic(
            "wrong-value",
            f"before the first step {error}",
            limit.plan.origin.span,
            help=f"a larger `{limit.name}`, or none",
            path=limit.plan.origin.path,
        )
        for limit in limits_of(guards, folder)
        if (error := limit.exceeded()) is not None
    ]


def folder_bytes(folder: Path) -> int:
    """The size of all files below a folder; those that go while it is looked at do not count."""
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(f"{parent}/{name}").st_size
            except OSError:
                continue
    return total


def _watch(limits: list[Limit], control: Control, over: Event) -> None:
    wait = _TICK_S
    while not over.wait(wait):
        began = time.monotonic()
        for limit in limits:
            error = limit.exceeded()
            if error is not None:
                control.exceed(f"guards.{limit.name}", error)
                return
        wait = max(_TICK_S, _SHARE * (time.monotonic() - began))
