"""One fold run from its beginning to its end, as events of the run it belongs to."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from runexp.diagnostics import SpecError
from runexp.engine.control import Control
from runexp.engine.course import Resumed
from runexp.engine.experiment import Experiment
from runexp.engine.live import Live
from runexp.engine.protocol import ProgressStore, RunCheckpointStore, Runtime
from runexp.events import (
    Event,
    FoldFinished,
    FoldStarted,
    PhaseFinished,
    RefitFinished,
    RefitStarted,
    RunFinished,
    RunStarted,
    Status,
    WarningRaised,
)
from runexp.observe.sink import Timed, Told
from runexp.observe.speed import Speed
from runexp.plan.experiment import Plan
from runexp.runtime.folds.fold import Fold
from runexp.runtime.pace import Pace
from runexp.runtime.randomness import kept_randomness
from runexp.runtime.torch_runtime import TorchRuntime


class Record(Protocol):
    """What one fold has told and where it stands, kept as it runs: a fold that was broken off goes on from it."""

    problems: list[str]

    @property
    def is_over(self) -> bool:
        """Whether the fold has run to its end and all it leaves is on file."""

    @property
    def has_begun(self) -> bool:
        """Whether it has told anything."""

    def told(self) -> Iterator[Timed]:
        """Everything the fold has told."""

    def open(self) -> tuple[Timed, ...]:
        """Begin, or go on: what was told before the state that is gone on from."""

    def restore(self, plan: Plan, runtime: TorchRuntime) -> Resumed | None:
        """Set the runtime back to that state; None where there is none."""

    def tell(self, event: Event) -> Timed:
        """Note an event, and when it was."""

    def saving(self, runtime: TorchRuntime, control: Control) -> AbstractContextManager[ProgressStore | None]:
        """Where states go while the fold runs."""

    def close(self, *, is_over: bool = False) -> None:
        """End the record."""


class Keeping(Protocol):
    """Where the files of folds go; it can be sent to another process."""

    @property
    def cluster(self) -> Path:
        """The folder by which the run and its workers elsewhere speak."""

    def record(self, fold: Fold) -> Record:
        """What a fold has told and where it stands."""

    def checkpoints(self, fold: Fold, runtime: TorchRuntime) -> RunCheckpointStore:
        """The checkpoints of one fold."""

    def place(self, fold: Fold, runtime: TorchRuntime) -> None:
        """Tell the live things of a fold where its own files go."""

    def keep(self, fold: Fold, runtime: TorchRuntime, status: str) -> Sequence[str]:
        """Write what a fold ended with; gives what a person should know. `OSError` if it cannot be written."""


@dataclass(frozen=True, slots=True)
class FoldJob:
    """Everything that one fold needs to run, in this process or in another. `plan` is that of a fold.

    `code_folders` and `code_names` say where code of the user's is imported from, and below which names.
    """

    plan: Plan
    folder: Path
    fold: Fold
    n_folds: int
    keeping: Keeping
    code_folders: tuple[Path, ...] = ()
    code_names: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether the fold was run to its end before, by a run that was broken off."""
        return self.keeping.record(self.fold).is_over


@dataclass(frozen=True, slots=True)
class Around:
    """What surrounds a fold: who can stop it, who watches where it stands, which events are wanted."""

    control: Control
    live: Live
    wants: frozenset[type]


Led = Iterator[tuple[FoldJob, Generator[Told, None, Exception | None]]]
"""Jobs, each with its events and in the end what it failed of."""


def run_fold(
    job: FoldJob,
    around: Around,
    *,
    runtime: TorchRuntime | None = None,
    driven: Callable[[TorchRuntime], Runtime] | None = None,
) -> Generator[Told, None, Exception | None]:
    """The events of a fold, its phases under its label; returns what it failed of. Nothing of it outlives it (S-45).

    It goes on from what its record has; one that is over is told again, and not run. `driven` gives what its experiment
    drives instead of the runtime itself: then nothing is saved to go on from.
    """
    record = job.keeping.record(job.fold)
    if record.is_over:
        yield from record.told()
        return None
    try:
        told = record.open()
        yield from told
        if not told:
            yield record.tell(_started(job))
        with kept_randomness():
            return (yield from _run(job, around, record, (runtime, driven)))
    finally:
        record.close()


def _started(job: FoldJob) -> FoldStarted | RefitStarted:
    fold = job.fold
    if fold.is_refit:
        return RefitStarted(fold.label, fold.n_train)
    return FoldStarted(fold.index, fold.label, fold.name, job.n_folds, fold.n_train, fold.n_held_out, fold.digest)


def _run(
    job: FoldJob,
    around: Around,
    record: Record,
    live: tuple[TorchRuntime | None, Callable[[TorchRuntime], Runtime] | None],
) -> Generator[Told, None, Exception | None]:
    fold, (runtime, driven) = job.fold, live
    try:
        runtime = runtime or TorchRuntime(job.plan, folder=job.folder, fold=fold)
    except SpecError as error:
        error.add_note(f"in {fold.label}")
        yield record.tell(finished(fold, "failed", f"SpecError: {error}", fold.label))
        return error
    job.keeping.place(fold, runtime)
    speed = _speed(job.plan, runtime)
    resumed = record.restore(job.plan, runtime)
    with record.saving(runtime, around.control) if driven is None else nullcontext() as progress:
        experiment = Experiment(
            job.plan,
            driven(runtime) if driven is not None else runtime,
            checkpoints=job.keeping.checkpoints(fold, runtime),
            progress=progress,
            resumed=resumed,
            control=around.control,
            live=around.live,
            wants=around.wants,
        )
        ended = yield from _told(experiment, fold, record, speed)
    end, failure, notes = _kept(job, runtime, ended, experiment.error)
    for problem in (*record.problems, *notes):
        yield WarningRaised("", f"{fold.label}: {problem}")
    last = record.tell(end)
    record.close(is_over=end.status == "completed")
    yield last
    return failure


def _speed(plan: Plan, runtime: TorchRuntime) -> Speed | None:
    """What measures how fast the fold learns, where that is asked for."""
    if plan.tracking is None or not plan.tracking.resources:
        return None
    runtime.pace = Pace()
    return Speed(every_s=plan.tracking.every_s, pace=runtime.pace.read)


def _told(
    experiment: Experiment, fold: Fold, record: Record, speed: Speed | None
) -> Generator[Told, None, RunFinished]:
    """Pass on what happens in the fold; an interrupt that hits whoever listens is one of the experiment."""
    events = experiment.run()
    event = next(events)
    while not isinstance(event, RunFinished):
        try:
            if not isinstance(event, RunStarted):
                for each in _with_speed(event, speed):
                    yield record.tell(labelled(each, fold.label))
        except KeyboardInterrupt as interrupt:
            event = events.throw(interrupt)  # type: ignore[attr-defined]  # a generator, typed as an iterator
        else:
            event = next(events)
    return event


def _with_speed(event: Event, speed: Speed | None) -> tuple[Event, ...]:
    """The event, and how fast the fold learns where that is due: what ends a phase comes last."""
    told = speed.note(event, time.time()) if speed is not None else None
    if told is None:
        return (event,)
    return (told, event) if isinstance(event, PhaseFinished) else (event, told)


def _kept(
    job: FoldJob, runtime: TorchRuntime, ended: RunFinished, error: Exception | None
) -> tuple[FoldFinished | RefitFinished, Exception | None, Sequence[str]]:
    fold = job.fold
    notes: Sequence[str] = ()
    if error is not None:
        error.add_note(f"in {fold.label}")
    try:
        notes = job.keeping.keep(fold, runtime, ended.status)
    except OSError as lost:
        if error is None:
            lost.add_note(f"in {fold.label}")
            return finished(fold, "failed", f"OSError: {lost}", fold.label), lost, notes
    where = f"{fold.label}/{ended.where}" if ended.where else ""
    return finished(fold, ended.status, ended.error, where), error, notes


def finished(fold: Fold, status: Status, error: str = "", where: str = "") -> FoldFinished | RefitFinished:
    """The event with which a fold, or the refit, ends."""
    if fold.is_refit:
        return RefitFinished(fold.label, status, error, where)
    return FoldFinished(fold.index, fold.label, status, error, where)


def labelled(event: Event, label: str) -> Event:
    """The event of a phase or group that stands under a label."""
    names: Mapping[str, str] = {
        name: f"{label}/{value}" for name in ("phase", "group") if (value := getattr(event, name, ""))
    }
    return replace(event, **names)  # type: ignore[arg-type]  # only names that the event has
