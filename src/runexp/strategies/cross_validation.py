"""Cross-validation: the plan of an experiment run once for each fold, told as one run (S-45)."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from runexp.events import Event, FoldFinished, RunFinished, RunStarted
from runexp.plan.experiment import Plan, digest, walk
from runexp.plan.phases import GroupPlan
from runexp.runtime.folds.fold import Fold
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.strategies.fold_run import Around, FoldJob, run_fold
from runexp.strategies.in_step import run_in_step
from runexp.strategies.processes import run_in_processes


class CrossValidation:
    """One execution of a plan with a `cv` section. `first` is the runtime of the first job, built beforehand.

    One failing fold does not lose the others; `errors` then has what each of them failed of, by its number.
    """

    def __init__(self, plan: Plan, jobs: Sequence[FoldJob], *, first: TorchRuntime) -> None:
        self.errors: dict[int, Exception] = {}
        self.plan = plan
        self._jobs = jobs
        self._first: TorchRuntime | None = first
        self._device = first.device
        self._failed: list[FoldFinished] = []
        self._interrupted: FoldFinished | None = None

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The folds, in the order they are told."""
        return tuple(job.fold for job in self._jobs)

    @property
    def labels(self) -> tuple[str, ...]:
        """The groups that the phases of the folds stand in."""
        return tuple(job.fold.label for job in self._jobs)

    @property
    def error(self) -> Exception | None:
        """What the first of the folds that failed did fail of."""
        return next(iter(self.errors.values()), None)

    def run(self, around: Around) -> Iterator[Event]:
        """Run every fold; ends in exactly one `RunFinished`."""
        plan = self.plan
        inner = [phase.label for phase in walk(plan.in_fold().phases) if not isinstance(phase, GroupPlan)]
        labels = tuple(f"{fold}/{label}" for fold in self.labels for label in inner)
        yield RunStarted(plan.name, plan.seed, digest(plan), self._device, labels)
        is_in_turn = plan.cv is None or plan.cv.execution == "sequential"
        try:
            yield from self._in_turn(around) if is_in_turn else self._at_once(around)
        except KeyboardInterrupt:
            yield RunFinished("interrupted", "KeyboardInterrupt")
            return
        yield self._ending(around)

    def _in_turn(self, around: Around) -> Generator[Event, None, None]:
        for job in self._jobs:
            if around.control.signal or self._interrupted is not None:
                return
            runtime, self._first = self._first, None
            error = yield from self._watched(run_fold(job, around, runtime=runtime))
            self._note(job, error)

    def _at_once(self, around: Around) -> Generator[Event, None, None]:
        first, self._first = [self._first], None
        cv = self.plan.cv
        if cv is not None and cv.execution == "vectorized":
            running = run_in_step(self._jobs, around, first=first.pop())
        else:
            first.clear()  # the workers build their own
            running = run_in_processes(self._jobs, around, n_workers=cv.workers if cv is not None else 0)
        for job, events in running:
            error = yield from self._watched(events)
            self._note(job, error)

    def _watched(self, events: Generator[Event, None, Exception | None]) -> Generator[Event, None, Exception | None]:
        error: Exception | None = None
        try:
            event = next(events)
            while True:
                if isinstance(event, FoldFinished):
                    self._judge(event)
                try:
                    yield event
                except KeyboardInterrupt as interrupt:
                    event = events.throw(interrupt)
                else:
                    event = next(events)
        except StopIteration as ended:
            error = ended.value
        return error

    def _judge(self, event: FoldFinished) -> None:
        if event.status == "failed":
            self._failed.append(event)
        elif event.status == "interrupted":
            self._interrupted = event

    def _note(self, job: FoldJob, error: Exception | None) -> None:
        if error is not None:
            self.errors[job.fold.index] = error

    def _ending(self, around: Around) -> RunFinished:
        signal, limit = around.control.signal, around.control.limit
        if limit is not None:
            self.errors.setdefault(-1, limit)
            where = (self._interrupted or self._failed[-1]).where if self._interrupted or self._failed else ""
            return RunFinished("failed", f"{type(limit).__name__}: {limit}", where)
        if signal or self._interrupted is not None:
            stopped = self._interrupted
            return RunFinished(
                "interrupted", signal or (stopped.error if stopped else ""), stopped.where if stopped else ""
            )
        if not self._failed:
            return RunFinished("completed")
        first = self._failed[0]
        names = ", ".join(event.group for event in self._failed)
        what = f"{len(self._failed)} of {len(self._jobs)} folds failed ({names}); {first.group}: {first.error}"
        return RunFinished("failed", what, first.where)
