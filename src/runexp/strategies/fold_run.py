"""One fold run from its beginning to its end, as events of the run it belongs to."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from runexp.diagnostics import SpecError
from runexp.engine.control import Control
from runexp.engine.experiment import Experiment
from runexp.engine.live import Live
from runexp.engine.protocol import RunCheckpointStore
from runexp.events import Event, FoldFinished, FoldStarted, RunFinished, RunStarted
from runexp.plan.experiment import Plan
from runexp.runtime.folds.fold import Fold
from runexp.runtime.randomness import kept_randomness
from runexp.runtime.torch_runtime import TorchRuntime


class Keeping(Protocol):
    """Where the files of folds go; it can be sent to another process."""

    def checkpoints(self, fold: Fold, runtime: TorchRuntime) -> RunCheckpointStore:
        """The checkpoints of one fold."""

    def place(self, fold: Fold, runtime: TorchRuntime) -> None:
        """Tell the live things of a fold where its own files go."""

    def keep(self, fold: Fold, runtime: TorchRuntime, status: str) -> None:
        """Write what a fold ended with. `OSError` if that cannot be written."""


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


@dataclass(frozen=True, slots=True)
class Around:
    """What surrounds a fold: who can stop it, who watches where it stands, which events are wanted."""

    control: Control
    live: Live
    wants: frozenset[type]


def run_fold(
    job: FoldJob, around: Around, *, runtime: TorchRuntime | None = None
) -> Generator[Event, None, Exception | None]:
    """The events of a fold, its phases under its label; returns what it failed of. Nothing of it outlives it (S-45)."""
    fold = job.fold
    yield FoldStarted(fold.index, fold.label, fold.name, job.n_folds, fold.n_train, fold.n_held_out)
    with kept_randomness():
        try:
            runtime = runtime or TorchRuntime(job.plan, folder=job.folder, fold=fold)
        except SpecError as error:
            error.add_note(f"in {fold.label}")
            yield FoldFinished(fold.index, fold.label, "failed", f"SpecError: {error}", fold.label)
            return error
        job.keeping.place(fold, runtime)
        experiment = Experiment(
            job.plan,
            runtime,
            checkpoints=job.keeping.checkpoints(fold, runtime),
            control=around.control,
            live=around.live,
            wants=around.wants,
        )
        ended = yield from _told(experiment, fold)
        finished, failure = _kept(job, runtime, ended, experiment.error)
    yield finished
    return failure


def _told(experiment: Experiment, fold: Fold) -> Generator[Event, None, RunFinished]:
    """Pass on what happens in the fold; an interrupt that hits whoever listens is one of the experiment."""
    events = experiment.run()
    event = next(events)
    while not isinstance(event, RunFinished):
        try:
            if not isinstance(event, RunStarted):
                yield labelled(event, fold.label)
        except KeyboardInterrupt as interrupt:
            event = events.throw(interrupt)  # type: ignore[attr-defined]  # a generator, typed as an iterator
        else:
            event = next(events)
    return event


def _kept(
    job: FoldJob, runtime: TorchRuntime, ended: RunFinished, error: Exception | None
) -> tuple[FoldFinished, Exception | None]:
    fold = job.fold
    if error is not None:
        error.add_note(f"in {fold.label}")
    try:
        job.keeping.keep(fold, runtime, ended.status)
    except OSError as lost:
        if error is None:
            lost.add_note(f"in {fold.label}")
            return FoldFinished(fold.index, fold.label, "failed", f"OSError: {lost}", fold.label), lost
    where = f"{fold.label}/{ended.where}" if ended.where else ""
    return FoldFinished(fold.index, fold.label, ended.status, ended.error, where), error


def labelled(event: Event, label: str) -> Event:
    """The event of a phase or group that stands under a label."""
    names: Mapping[str, str] = {
        name: f"{label}/{value}" for name in ("phase", "group") if (value := getattr(event, name, ""))
    }
    return replace(event, **names)  # type: ignore[arg-type]  # only names that the event has
