"""Folds whose steps are taken together: each has an experiment of its own, and they wait for each other at every epoch.

Their events come in the order of the folds, as if run in turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from runexp.engine.control import Control
from runexp.engine.live import Live
from runexp.events import EpochStarted
from runexp.observe.sink import Timed, Told
from runexp.plan.experiment import walk
from runexp.runtime.randomness import kept_randomness
from runexp.runtime.stacking.programs import Company, StackedRuntime
from runexp.runtime.state import random_state, set_random_state
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.strategies.fold_run import Around, FoldJob, Led, run_fold


@dataclass(slots=True, eq=False)
class _Member:
    """A fold: its events as far as they were not passed on, where it waits, and its own random numbers."""

    job: FoldJob
    events: Generator[Told, None, Exception | None]
    control: Control
    random: Any
    told: deque[Told] = field(default_factory=deque)
    waits_at: EpochStarted | None = None
    has_ended: bool = False
    error: Exception | None = None


def run_in_step(jobs: Sequence[FoldJob], around: Around, *, first: TorchRuntime | None) -> Led:
    """Each job with its events, in the order of the jobs; folds go on together, those that are over are told again, and
    a refit, which has rows of its own number, follows by itself."""
    marching = [job for job in jobs if not job.fold.is_refit and not job.is_over]
    runtimes = {jobs[0].fold.label: first}
    with kept_randomness():
        march = _March(marching, around, runtimes)
        try:
            for job in jobs:
                member = march.members.get(job.fold.label)
                yield job, march.events_of(member) if member is not None else run_fold(job, around)
        finally:
            march.dismiss()


class _March:
    """Folds that go on from epoch to epoch together."""

    def __init__(self, jobs: Sequence[FoldJob], around: Around, runtimes: dict[str, TorchRuntime | None]) -> None:
        self._around = around
        self._company = Company(around.control, around.live)
        self._order = [phase.label for job in jobs[:1] for phase in walk(job.plan.phases)]
        self.members = {job.fold.label: self._join(job, runtimes.pop(job.fold.label, None)) for job in jobs}

    def events_of(self, member: _Member) -> Generator[Told, None, Exception | None]:
        """The events of one fold as they come; what others tell meanwhile is kept."""
        while member.told or not member.has_ended:
            while member.told:
                yield member.told.popleft()
            if not member.has_ended:
                self._go_on()
        return member.error

    def dismiss(self) -> None:
        """Let go of folds that have not ended."""
        for member in self.members.values():
            member.events.close()

    def _join(self, job: FoldJob, runtime: TorchRuntime | None) -> _Member:
        control = Control()
        own = Around(control, Live(), self._around.wants)
        index = job.fold.index

        def driven(inner: TorchRuntime) -> StackedRuntime:
            return StackedRuntime(inner, index, self._company)

        return _Member(job, run_fold(job, own, runtime=runtime, driven=driven), control, random_state())

    def _go_on(self) -> None:
        """Let every fold go on to its next epoch or its end, then take the steps of the earliest phase that waits."""
        for member in self.members.values():
            if member.waits_at is None and not member.has_ended:
                self._lead(member)
        waiting = [(member, event) for member in self.members.values() if (event := member.waits_at) is not None]
        if not waiting:
            return
        labels = {id(member): event.phase.removeprefix(f"{member.job.fold.label}/") for member, event in waiting}
        label = min(labels.values(), key=self._order.index)
        chosen = [(member, event) for member, event in waiting if labels[id(member)] == label]
        self._company.run_epoch(label, [member.job.fold.index for member, _ in chosen], chosen[0][1].epoch)
        for member, _ in chosen:
            member.waits_at = None

    def _lead(self, member: _Member) -> None:
        """Run one fold until it begins an epoch, with its own random numbers and the signal that all are given."""
        if self._around.control.signal and not member.control.signal:
            member.control.limit = self._around.control.limit
            member.control.interrupt(self._around.control.signal)
        set_random_state(member.random)
        try:
            while not isinstance(member.waits_at, EpochStarted):
                told = next(member.events)
                member.told.append(told)
                event = told.event if isinstance(told, Timed) else told
                member.waits_at = event if isinstance(event, EpochStarted) else None
        except StopIteration as ended:
            member.has_ended, member.error = True, ended.value
        member.random = random_state()
