"""Cross-validation: the plan of an experiment run once for each fold, told as one run (S-45)."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from runexp.events import Event, FoldFinished, RefitFinished, RunFinished, RunStarted
from runexp.observe.sink import Timed, Told
from runexp.plan.experiment import Plan, digest, walk
from runexp.plan.folds import CVPlan
from runexp.plan.phases import GroupPlan
from runexp.runtime.folds.fold import Fold
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.strategies.cluster import run_on_cluster
from runexp.strategies.fold_run import Around, FoldJob, Led, run_fold
from runexp.strategies.in_step import run_in_step
from runexp.strategies.processes import run_in_processes


class CrossValidation:
    """One execution of a plan with a `cv` section. `first` is the runtime of the first job, built beforehand.

    One failing fold does not lose the others; `errors` then has what each of them failed of, by its number. `lock` is
    the descriptor that holds the run's folder, for worker processes to hold it too. `began` is when the run began, in
    seconds since the epoch, where it goes on.
    """

    def __init__(
        self,
        plan: Plan,
        jobs: Sequence[FoldJob],
        *,
        first: TorchRuntime,
        lock: int | None = None,
        began: float | None = None,
    ) -> None:
        self.errors: dict[int, Exception] = {}
        self.plan = plan
        self._jobs = jobs
        self._first: TorchRuntime | None = first
        self._device = first.device
        self._lock = lock
        self._began = began
        self._failed: list[FoldFinished | RefitFinished] = []
        self._interrupted: FoldFinished | RefitFinished | None = None

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The folds, in the order they are told, the refit among them."""
        return tuple(job.fold for job in self._jobs)

    @property
    def labels(self) -> tuple[str, ...]:
        """The groups that the phases of the folds, and of the refit, stand in."""
        return tuple(job.fold.label for job in self._jobs)

    @property
    def error(self) -> Exception | None:
        """What the first of the folds that failed did fail of."""
        return next(iter(self.errors.values()), None)

    def run(self, around: Around) -> Iterator[Told]:
        """Run every fold; ends in exactly one `RunFinished`."""
        plan = self.plan
        labels = tuple(f"{job.fold.label}/{label}" for job in self._jobs for label in _leaves(job.plan))
        started = RunStarted(plan.name, plan.seed, digest(plan), self._device, labels)
        yield started if self._began is None else Timed(self._began, started)
        is_in_turn = plan.cv is None or plan.cv.execution == "sequential"
        try:
            yield from self._in_turn(around) if is_in_turn else self._at_once(around)
        except KeyboardInterrupt:
            yield RunFinished("interrupted", "KeyboardInterrupt")
            return
        yield self._ending(around)

    def _in_turn(self, around: Around) -> Generator[Told, None, None]:
        for job in self._jobs:
            if around.control.signal or self._interrupted is not None:
                return
            runtime, self._first = self._first, None
            if job.choice is not None:
                runtime = None  # made with other values than the fold will have
            error = yield from self._watched(run_fold(job, around, runtime=runtime))
            self._note(job, error)

    def _at_once(self, around: Around) -> Generator[Told, None, None]:
        first, self._first = [self._first], None
        for job, events in self._led(around, self.plan.cv, first):
            error = yield from self._watched(events)
            self._note(job, error)

    def _led(self, around: Around, cv: CVPlan | None, first: list[TorchRuntime | None]) -> Led:
        """Each job with its events; `first` is emptied, so that the rows of a fold do not outlive it."""
        if cv is not None and cv.execution == "vectorized":
            return run_in_step(self._jobs, around, first=first.pop())
        first.clear()  # the workers build their own
        if cv is not None and cv.execution == "dask":
            return run_on_cluster(self._jobs, around, cv)
        return run_in_processes(self._jobs, around, n_workers=cv.workers if cv is not None else 0, lock=self._lock)

    def _watched(self, events: Generator[Told, None, Exception | None]) -> Generator[Told, None, Exception | None]:
        error: Exception | None = None
        try:
            told = next(events)
            while True:
                self._judge(told.event if isinstance(told, Timed) else told)
                try:
                    yield told
                except KeyboardInterrupt as interrupt:
                    told = events.throw(interrupt)
                else:
                    told = next(events)
        except StopIteration as ended:
            error = ended.value
        return error

    def _judge(self, event: Event) -> None:
        if not isinstance(event, (FoldFinished, RefitFinished)):
            return
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
        n_folds = self._jobs[0].n_folds
        n_failed = sum(isinstance(event, FoldFinished) for event in self._failed)
        what = f"{n_failed} of {n_folds} folds failed ({names}); " if n_failed else ""
        what += f"{first.group}: {first.error}"
        return RunFinished("failed", what, first.where)


def _leaves(plan: Plan) -> list[str]:
    return [phase.label for phase in walk(plan.phases) if not isinstance(phase, GroupPlan)]
