"""Trials that are trained at once: each is a run of its own, and they wait for each other where an epoch begins.

A run is not written to be left in the middle, so that each has a thread of its own. Only one of them ever runs, or the
one that takes the steps of all: what happens is as much in order as in one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from threading import Semaphore, Thread
from typing import Any, Protocol

from runexp.diagnostics import SpecError
from runexp.engine.control import Control
from runexp.engine.live import Live
from runexp.engine.protocol import Runtime
from runexp.plan.experiment import walk
from runexp.plan.likeness import AT_ONCE
from runexp.plan.phases import PhasePlan
from runexp.runtime.randomness import kept_randomness
from runexp.runtime.stacking.programs import Company, StackedRuntime
from runexp.runtime.stacking.refusals import check_stackable
from runexp.runtime.state import random_state, set_random_state
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.strategies.sweep_run import PRUNED, Hear, Outcome, TrialProgress
from runexp.strategies.sweep_search import Asked


class StackableJob(Protocol):
    """A trial that can be trained together with others of the same likeness."""

    @property
    def likeness(self) -> str:
        """What those have in common that can be trained at once; empty for one that is not to be trained."""

    @property
    def phases(self) -> tuple[PhasePlan, ...]:
        """What it runs."""

    def run(
        self,
        control: Control,
        hear: Callable[[TrialProgress], object],
        driven: Callable[[TorchRuntime], Runtime] | None = None,
    ) -> Outcome:
        """Run it to its end, telling where it stands; `driven` gives what its experiment drives."""


Given = tuple[Asked, StackableJob]


def run_abreast(
    following: Callable[[], Given | None], hear: Hear, control: Control, *, n_at_once: int, whose: str = "trials"
) -> Iterator[tuple[int, Outcome]]:
    """As many trials as are asked for at once, told as they end: of these, those that are alike train together."""
    n_at_once = n_at_once or AT_ONCE
    while given := [] if control.signal else list(islice(iter(following, None), n_at_once)):
        for group in _alike(given):
            if control.signal:
                yield from ((asked.number, Outcome("interrupted")) for asked, _ in group)
                continue
            with kept_randomness():
                yield from _Group(group, hear, control, whose).run()


def _alike(given: Sequence[Given]) -> list[list[Given]]:
    groups: dict[str, list[Given]] = {}
    for asked, job in given:
        groups.setdefault(job.likeness or f"trial {asked.number}", []).append((asked, job))
    return list(groups.values())


class _Walker:
    """A trial in a thread that runs only while somebody waits for it in `go_on`."""

    def __init__(self, number: int, run: Callable[[_Walker], Outcome]) -> None:
        self.number = number
        self.control = Control()
        self.has_begun = False
        self.waits_at: tuple[str, int] | None = None
        self.outcome: Outcome | None = None
        self._failure: BaseException | None = None
        self._random: Any = random_state()
        self._turn, self._back = Semaphore(0), Semaphore(0)
        self._is_out = False
        self._thread = Thread(target=self._walk, args=(run,), daemon=True, name=f"runexp-trial-{number}")

    def go_on(self) -> None:
        """Let it run until it waits again, or has ended. Raises what nobody there has an answer to."""
        if not self.has_begun:
            self.has_begun = True
            self._thread.start()
        if not self._is_out:
            set_random_state(self._random)
            self.waits_at = None
            self._is_out = True
            self._turn.release()
        self._back.acquire()
        self._is_out = False
        self._random = random_state()
        if self._failure is not None:
            raise self._failure

    def wait(self, label: str, epoch: int) -> None:
        """Called in its thread: it stands where an epoch of a phase begins."""
        self.waits_at = (label, epoch)
        self._back.release()
        self._turn.acquire()

    def _walk(self, run: Callable[[_Walker], Outcome]) -> None:
        self._turn.acquire()
        try:
            self.outcome = run(self)
        except BaseException as failure:  # raised again where it is waited for
            self.outcome, self._failure = Outcome("failed", error=str(failure)), failure
        finally:
            self._back.release()


class _Group:
    """Trials of one likeness on their way."""

    def __init__(self, given: Sequence[Given], hear: Hear, control: Control, whose: str) -> None:
        self._hear = hear
        self._control = control
        self._whose = whose
        self._is_alone = len(given) == 1
        self._order = [phase.label for phase in walk(given[0][1].phases)]
        self._company = Company(control, Live(), whose)
        self._refused: SpecError | None = None
        self._is_tried = False
        self._walkers = [self._walker(place, asked.number, job) for place, (asked, job) in enumerate(given)]

    def run(self) -> Iterator[tuple[int, Outcome]]:
        """Each trial as it ends."""
        left = dict(enumerate(self._walkers))
        try:
            while left:
                for place, walker in list(left.items()):
                    if walker.waits_at is None:
                        self._lead(walker)
                    if walker.outcome is not None:
                        del left[place]
                        yield walker.number, walker.outcome
                self._take_steps(left)
        finally:
            self._dismiss(left.values())

    def _walker(self, place: int, number: int, job: StackableJob) -> _Walker:
        def run(walker: _Walker) -> Outcome:
            def watch(progress: TrialProgress) -> None:
                if self._hear(number, progress) and not walker.control.signal:
                    walker.control.interrupt(PRUNED)

            def driven(inner: TorchRuntime) -> Runtime:
                self._try(inner, job)
                return StackedRuntime(inner, place, self._company, walker.wait)

            return job.run(walker.control, watch, None if self._is_alone else driven)

        return _Walker(number, run)

    def _try(self, runtime: TorchRuntime, job: StackableJob) -> None:
        """Refuse, for all of them, what the first shows cannot be trained at once."""
        if not self._is_tried:
            self._is_tried = True
            try:
                check_stackable(runtime, job.phases, self._whose)
            except SpecError as error:
                self._refused = error
        if self._refused is not None:
            raise self._refused

    def _lead(self, walker: _Walker) -> None:
        """Let one go on, with the signal that all are given."""
        if self._control.signal and not walker.has_begun:
            walker.outcome = Outcome("interrupted")
            return
        if self._control.signal and not walker.control.signal:
            walker.control.limit = self._control.limit
            walker.control.interrupt(self._control.signal)
        walker.go_on()

    def _take_steps(self, left: dict[int, _Walker]) -> None:
        """The steps of an epoch of the earliest phase that is waited at."""
        waiting = {place: walker.waits_at for place, walker in left.items() if walker.waits_at is not None}
        if not waiting:
            return
        label = min((label for label, _ in waiting.values()), key=self._order.index)
        chosen = [place for place, (own, _) in waiting.items() if own == label]
        self._company.run_epoch(label, chosen, waiting[chosen[0]][1])
        for place in chosen:
            left[place].waits_at = None

    def _dismiss(self, walkers: Iterable[_Walker]) -> None:
        """Let those that have not ended come to an end, as after a Ctrl-C."""
        self._company.dismiss(KeyboardInterrupt())
        for walker in walkers:
            walker.control.interrupt(self._control.signal or "SIGINT")
            while walker.has_begun and walker.outcome is None:
                walker.go_on()
