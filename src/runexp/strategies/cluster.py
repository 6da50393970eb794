"""Folds on a cluster, through Dask distributed: each is a task, and all processes see the run folder (S-47).

A fold whose worker dies is given to another by the scheduler, and goes on there from its record.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.control import Control
from runexp.engine.live import Live
from runexp.observe.sink import Told
from runexp.plan.folds import CVPlan
from runexp.runtime.importing import OwnModules
from runexp.runtime.limits import held_to
from runexp.runtime.settings import settled
from runexp.strategies.fold_run import Around, FoldJob, finished, run_fold
from runexp.strategies.processes import Ended, ended_by, n_processors

_TICK_S = 0.2
_PATIENCE_S = 10
_ALONE = threading.Lock()
"""Random numbers belong to a process: where a worker has several threads, folds take turns."""


def check_cluster(cv: CVPlan) -> None:
    """`SpecError` where Dask is not installed, or no scheduler answers at the address."""
    if cv.execution != "dask":
        return
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        message = "folds on a cluster are run through Dask, which is not installed"
        raise SpecError([_told_at(message, "execution", "`pip install 'runexp[cluster]'`")]) from error
    if cv.cluster:
        try:
            distributed.Client(cv.cluster, timeout=_PATIENCE_S, set_as_default=False).close()
        except (OSError, ValueError) as error:
            message = f"no Dask scheduler answers at `{cv.cluster}`"
            raise SpecError(
                [_told_at(message, "cluster", "`dask scheduler` tells its address when it starts")]
            ) from error


def run_on_cluster(
    jobs: Sequence[FoldJob], around: Around, cv: CVPlan
) -> Iterator[tuple[FoldJob, Generator[Told, None, Exception | None]]]:
    """Each job with its events, in the order of the jobs, once it has ended; all of them run at once.

    Folds that are over are told again from their records.
    """
    distributed: Any = import_module("distributed")
    left = [job for job in jobs if not job.is_over]
    with ExitStack() as way_out:
        client = way_out.enter_context(_connected(distributed, cv, len(left), way_out))
        tasks = {job.fold.index: client.submit(work, job, around.wants, pure=False) for job in left}
        for job in jobs:
            if job.fold.index not in tasks:
                yield job, run_fold(job, around)
                continue
            _await(tasks[job.fold.index], around, jobs[0].keeping.stop_file)
            if around.control.signal and not job.keeping.record(job.fold).has_begun:
                return
            yield job, _told(job, tasks[job.fold.index])


def work(job: FoldJob, wants: frozenset[type]) -> Ended:
    """Run one fold in a worker of the cluster; what it tells is in its record."""
    control, over = Control(), threading.Event()
    threading.Thread(target=_heed, args=(job.keeping.stop_file, control, over), daemon=True).start()
    memory = held_to(replace(job.plan.guards, time=None), control)
    with _ALONE, OwnModules(job.code_folders, job.code_names), settled(job.plan.execution), memory:
        if job.keeping.stop_file.exists():
            return Ended()
        events = run_fold(job, Around(control, Live(), wants))
        try:
            while True:
                next(events)
        except StopIteration as ended:
            return ended_by(ended.value)
        finally:
            over.set()


def _connected(distributed: Any, cv: CVPlan, n_jobs: int, way_out: ExitStack) -> Any:  # noqa: ANN401 - no types
    """A client of the scheduler at the address, or of one of its own on this machine."""
    if cv.cluster:
        return distributed.Client(cv.cluster, timeout=_PATIENCE_S, set_as_default=False)
    n_workers = max(1, min(cv.workers or n_processors(), n_jobs))
    cluster = distributed.LocalCluster(
        n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address=None
    )
    return distributed.Client(way_out.enter_context(cluster), set_as_default=False)


def _await(task: Any, around: Around, stop_file: Path) -> None:  # noqa: ANN401 - no types
    """Wait for a task; a signal is passed on to all workers by a file."""
    while not task.done():
        if around.control.signal and not stop_file.exists():
            stop_file.write_text(around.control.signal)
        time.sleep(_TICK_S)


def _heed(stop_file: Path, control: Control, over: threading.Event) -> None:
    while not over.wait(_TICK_S):
        with suppress(OSError):
            control.interrupt(stop_file.read_text() or "SIGTERM")
            return


def _told(job: FoldJob, task: Any) -> Generator[Told, None, Exception | None]:  # noqa: ANN401 - no types
    """What a fold has told until its task ended, and what it failed of."""
    yield from job.keeping.record(job.fold).told()
    if task.status == "finished":
        ended: Ended = task.result()
        return ended.as_error()
    lost = task.exception()
    lost.add_note(f"in {job.fold.label}")
    yield finished(job.fold, "failed", f"{type(lost).__name__}: {lost}", job.fold.label)
    return RuntimeError(f"{type(lost).__name__}: {lost}")


def _told_at(message: str, key: str, hint: str) -> Diagnostic:
    return Diagnostic("wrong-value", message, help=hint, path=f"cv.{key}")
