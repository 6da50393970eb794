"""The trials of a sweep, run in this process one after the other, or in several at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from runexp.engine.control import Control
from runexp.strategies.crew import Crew, Lost
from runexp.strategies.processes import n_processors
from runexp.strategies.sweep_search import Asked

Manner = Literal["sequential", "processes", "vectorized", "dask", "ray"]

PRUNED = "pruned"
"""The word that ends a trial early, in the place of a signal's name."""

Ending = Literal["completed", "pruned", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Execution:
    """How trials are run: one after the other, in worker processes, or trained at once; `workers` at a time, 0: as many
    as fit."""

    manner: Manner = "sequential"
    workers: int = 0


IN_TURN = Execution()


@dataclass(frozen=True, slots=True)
class TrialProgress:
    """Where a running trial stands, and its newest numbers by address.

    `step` counts the reports of what the pruner watches, and `value` is that number; -1 and None where it is none.
    """

    place: str
    metrics: Mapping[str, float]
    step: int = -1
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial ended: its final numbers by address, or what it failed of, in a line and at length."""

    ending: Ending
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    error: str = ""
    details: str = ""


class TrialJob(Protocol):
    """Everything that one trial needs to run; it can be sent to another process."""

    @property
    def folder(self) -> Path:
        """Where it goes."""

    def run(self, control: Control, hear: Callable[[TrialProgress], object]) -> Outcome:
        """Run it to its end, telling where it stands; `control` ends it early."""


Next = Callable[[], tuple[Asked, TrialJob] | None]
"""The next trial to run; None where none is left."""

Hear = Callable[[int, TrialProgress], bool]
"""Is told where a trial stands, and says whether it is to end early."""


def run_in_turn(following: Next, hear: Hear, control: Control) -> Iterator[tuple[int, Outcome]]:
    """Each trial in this process, one after the other; ends where there is none left, or at a signal."""
    while not control.signal and (given := following()) is not None:
        asked, job = given

        def watch(progress: TrialProgress, number: int = asked.number) -> None:
            if hear(number, progress) and not control.signal:
                control.interrupt(PRUNED)

        outcome = job.run(control, watch)
        if control.signal == PRUNED:
            control.signal, control.halt = "", False
        yield asked.number, outcome


def run_in_crew(following: Next, hear: Hear, control: Control, *, n_workers: int) -> Iterator[tuple[int, Outcome]]:
    """As many trials at once as there are workers, told as they end; ends where none is left, or after a signal."""
    n_workers = n_workers or n_processors()
    is_told = False
    with Crew("runexp.api.trial_worker:serve", n_workers, _shared_threads(n_workers)) as crew:
        while True:
            while crew.has_room and not control.signal and (given := following()) is not None:
                asked, job = given
                crew.give(asked.number, job)
            if not crew.busy:
                return
            if control.signal and not is_told:
                is_told = True
                crew.say(control.signal)
            yield from _heard(crew, hear)


def _heard(crew: Crew, hear: Hear) -> Iterator[tuple[int, Outcome]]:
    for number, told in crew.told():
        if isinstance(told, TrialProgress):
            if hear(number, told):
                crew.say(PRUNED, number)
            continue
        crew.rest(number)
        yield number, Outcome("failed", error=told.why) if isinstance(told, Lost) else told


def _shared_threads(n_workers: int) -> dict[str, str]:
    """Each worker's share of the processors, unless the environment says how many threads there are to be."""
    return {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(max(1, n_processors() // n_workers))}
