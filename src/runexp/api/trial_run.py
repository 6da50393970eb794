"""One trial: a run of its own, gone on with where it was broken off, and not repeated where it has ended."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from runexp.api.checking import Checked
from runexp.api.folds import summary_of
from runexp.api.lineage import Ancestor
from runexp.api.redaction import redacted_text
from runexp.api.resuming import CannotResume, open_run, resume
from runexp.api.running import Driven, Place, Run, Watch
from runexp.api.running import run as run_checked
from runexp.api.stored_sweep import TRIAL
from runexp.api.tracking import Member
from runexp.api.trial_specs import located
from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.control import Control
from runexp.engine.live import Live
from runexp.events import EpochFinished, Event, PhaseFinished, PhaseStarted
from runexp.observe.sink import Sink, Stamped
from runexp.plan.experiment import digest
from runexp.plan.likeness import likeness
from runexp.plan.phases import PhasePlan
from runexp.report.diagnostics import render
from runexp.store.atomic import write_atomically
from runexp.store.records import SUMMARY
from runexp.store.run_files import read_record
from runexp.store.run_folder import FolderInUse
from runexp.store.status import read_status
from runexp.strategies.sweep_run import PRUNED, Ending, Outcome, TrialProgress
from runexp.strategies.sweep_space import Point

_PATIENCE_S = 60.0  # for a worker whose parent was killed to come to the end of its batch

Hear = Callable[[TrialProgress], object]


@dataclass(frozen=True, slots=True)
class SpecTrial:
    """A trial of a spec: where it goes, what it changes, whose it is, and the number that a pruner watches.

    Earlier runs that it takes weights from are those of `lineage`, or lie below `runs`: never another trial. `home` is
    where trackers keep what the trials share.
    """

    number: int
    parent: str
    base: Checked
    checked: Checked
    point: Point
    folder: Path
    monitor: str
    save_every_s: float
    runs: Path
    home: Path
    lineage: tuple[Ancestor, ...] = ()

    @property
    def likeness(self) -> str:
        """What it has in common with those it can be trained together with; empty where it is not to be trained."""
        return "" if not self.checked.is_valid or self._known() is not None else likeness(self.checked.linked)

    @property
    def phases(self) -> tuple[PhasePlan, ...]:
        """What it runs."""
        return self.checked.linked.phases

    def run(self, control: Control, hear: Hear, driven: Driven | None = None) -> Outcome:
        """Run it, or what is left of it. Whatever it fails of is told in the outcome.

        `driven` gives what its experiment drives; then it runs from its start.
        """
        if not self.checked.is_valid:
            return self._refused(self.checked.diagnostics)
        known = self._known()
        if known is not None:
            return known
        start = time.monotonic()
        try:
            finished = self._carried_out(control, hear, driven)
        except SpecError as error:
            return self._refused(error.diagnostics)
        except (OSError, FolderInUse, ImportError) as error:
            return Outcome("failed", error=f"{type(error).__name__}: {error}")
        outcome = _outcome(finished, control)
        told = redacted_text(outcome.error, self.checked.document)
        return replace(outcome, seconds=time.monotonic() - start, error=told)

    def _known(self) -> Outcome | None:
        """How it ended, if it ran to its end before."""
        if not (self.folder / SUMMARY).is_file():
            return None
        record = read_record(self.folder, "")
        if record.status != "completed" or record.lock.get("plan") != digest(self.checked.linked):
            return None
        return Outcome("completed", flat_numbers(record.metrics), record.seconds)

    def _refused(self, diagnostics: Iterable[Diagnostic]) -> Outcome:
        errors = [one for one in diagnostics if one.is_error]
        told = [replace(one, message=redacted_text(one.message, self.checked.document)) for one in errors]
        found = located(told, self.base, self.point)
        files = {**self.base.files, **self.checked.files}
        return Outcome("failed", error=str(SpecError(found)), details=render(found, files, width=100))

    def _carried_out(self, control: Control, hear: Hear, driven: Driven | None) -> Run:
        watch = self._watch(hear)
        gone_on = self._gone_on(control, watch) if driven is None else None
        if gone_on is not None:
            return gone_on
        shutil.rmtree(self.folder, ignore_errors=True)
        place = Place(self.runs, self.folder, self.save_every_s, self._member, self.lineage)
        return run_checked(self.checked, place, watch=watch, control=control, driven=driven)

    def _gone_on(self, control: Control, watch: Watch) -> Run | None:
        """The run that was broken off here, brought to its end; None where there is none that can go on."""
        status = read_status(self.folder)
        if status is None or status.state == "failed":
            return None
        try:
            broken_off = open_run(self.folder)
            if digest(broken_off.checked.linked) != digest(self.checked.linked):
                return None
            broken_off = replace(broken_off, checked=replace(broken_off.checked, allowed=self.checked.allowed))
            every_s, member = self.save_every_s, self._member
            return _patiently(
                lambda: resume(broken_off, watch=watch, control=control, save_every_s=every_s, member=member), control
            )
        except CannotResume:
            return None

    @property
    def _member(self) -> Member:
        return Member(self.parent, self.home, self.point)

    def _watch(self, hear: Hear) -> Watch:
        def watch(live: Live) -> list[Sink]:
            told = {"sweep": self.parent, "trial": self.number, "changes": dict(self.point)}
            with suppress(OSError):  # it says no more than the folder's place does
                write_atomically(self.folder / TRIAL, json.dumps(told, indent=1) + "\n")
            return [_Reporter(self.monitor, hear, is_folded=self.checked.linked.cv is not None)]

        return watch


def flat_numbers(metrics: object) -> dict[str, float]:
    """Numbers by phase → by address: `test.accuracy`."""
    phases = metrics.items() if isinstance(metrics, dict) else ()
    return {f"{phase}.{name}": value for phase, numbers in phases for name, value in numbers.items()}


def _patiently(call: Callable[[], Run], control: Control) -> Run:
    """The call, once nobody holds the folder any more."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return call()
        except FolderInUse:
            if time.monotonic() > until or control.signal:
                raise
            time.sleep(0.2)


def _outcome(finished: Run, control: Control) -> Outcome:
    endings: dict[str, Ending] = {"completed": "completed", "stopped": "completed", "failed": "failed"}
    ending = endings.get(finished.status, "pruned" if control.signal == PRUNED else "interrupted")
    metrics = flat_numbers(summary_of(finished.results)["metrics"])
    if ending != "failed":
        return Outcome(ending, metrics)
    where = f" (in {finished.finished.where})" if finished.finished.where else ""
    return Outcome("failed", metrics, error=f"{finished.finished.error}{where}")


class _Reporter:
    """Tells where a trial stands, and what the pruner watches: a number by epoch, or its mean over the folds so far."""

    wants: frozenset[type[Event]] = frozenset({PhaseStarted, EpochFinished, PhaseFinished})

    def __init__(self, monitor: str, hear: Hear, *, is_folded: bool) -> None:
        self._phase, _, self._name = monitor.rpartition(".")
        self._hear = hear
        self._is_folded = is_folded
        self._n_epochs = 0
        self._of_folds: list[float] = []

    def receive(self, stamped: Stamped) -> None:
        """Pass on what an epoch or a phase ended with."""
        event = stamped.event
        if isinstance(event, PhaseStarted):
            self._n_epochs = event.n_epochs
        elif isinstance(event, EpochFinished):
            of = f"/{self._n_epochs}" if self._n_epochs else ""
            is_watched = not self._is_folded and event.phase == self._phase and self._name in event.metrics
            self._tell(
                f"{event.phase} {event.epoch + 1}{of}",
                event,
                event.epoch if is_watched else -1,
                event.metrics.get(self._name) if is_watched else None,
            )
        elif isinstance(event, PhaseFinished):
            self._finish(event)

    def close(self) -> None:
        """Nothing is held."""

    def _finish(self, event: PhaseFinished) -> None:
        is_watched = self._is_folded and event.phase.partition("/")[2] == self._phase and self._name in event.metrics
        if is_watched:
            self._of_folds.append(event.metrics[self._name])
        mean = sum(self._of_folds) / len(self._of_folds) if is_watched else None
        self._tell(event.phase, event, len(self._of_folds) - 1 if is_watched else -1, mean)

    def _tell(self, place: str, event: EpochFinished | PhaseFinished, step: int, value: float | None) -> None:
        numbers = {f"{event.phase}.{name}": number for name, number in event.metrics.items()}
        self._hear(TrialProgress(place, numbers, step, value))
