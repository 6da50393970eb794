"""Folds whose steps are taken together: each has an experiment of its own, and they wait for each other at every epoch.

Their events come in the order of the folds, as if run in turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from runexp.engine.control import Control
from runexp.engine.live import Live
from runexp.events import EpochStarted, Event
from runexp.plan.experiment import walk
from runexp.runtime.randomness import kept_randomness
from runexp.runtime.stacking.programs import Company, StackedRuntime
from runexp.runtime.state import random_state, set_random_state
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.strategies.fold_run import Around, FoldJob, run_fold


@dataclass(slots=True, eq=False)
class _Member:
    """A fold: its events as far as they were not passed on, where it waits, and its own random numbers."""

    job: FoldJob
    events: Generator[Event, None, Exception | None]
    control: Control
    random: Any
    told: deque[Event] = field(default_factory=deque)
    waits_at: EpochStarted | None = None
    has_ended: bool = False
    error: Exception | None = None


def run_in_step(
    jobs: Sequence[FoldJob], around: Around, *, first: TorchRuntime | None
) -> Iterator[tuple[FoldJob, Generator[Event, None, Exception | None]]]:
    """Each job with its events, in the order of the jobs; all of them go on together."""
    with kept_randomness():
        march = _March(jobs, around, first)
        try:
            for member in march.members:
                yield member.job, march.events_of(member)
        finally:
            march.dismiss()


class _March:
    """Folds that go on from epoch to epoch together."""

    def __init__(self, jobs: Sequence[FoldJob], around: Around, first: TorchRuntime | None) -> None:
        self._around = around
        self._company = Company(around.control, around.live)
        self._order = [phase.label for phase in walk(jobs[0].plan.phases)]
        runtimes = [first, *[None] * (len(jobs) - 1)]
        self.members = [self._join(job, runtime) for job, runtime in zip(jobs, runtimes, strict=True)]

    def events_of(self, member: _Member) -> Generator[Event, None, Exception | None]:
        """The events of one fold as they come; what others tell meanwhile is kept."""
        while member.told or not member.has_ended:
            while member.told:
                yield member.told.popleft()
            if not member.has_ended:
                self._go_on()
        return member.error

    def dismiss(self) -> None:
        """Let go of folds that have not ended."""
        for member in self.members:
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
        for member in self.members:
            if member.waits_at is None and not member.has_ended:
                self._lead(member)
        waiting = [(member, event) for member in self.members if (event := member.waits_at) is not None]
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
                event = next(member.events)
                member.told.append(event)
                member.waits_at = event if isinstance(event, EpochStarted) else None
        except StopIteration as ended:
            member.has_ended, member.error = True, ended.value
        member.random = random_state()
