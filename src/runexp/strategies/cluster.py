"""Folds on a cluster: each is a job, and all machines see the run folder (S-47).

A fold whose worker dies is given to another, and goes on there from its record.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from runexp.engine.control import Control, LimitExceeded
from runexp.engine.live import Live
from runexp.observe.sink import Told
from runexp.runtime.importing import OwnModules
from runexp.runtime.limits import held_to
from runexp.runtime.settings import settled
from runexp.store.atomic import make_folders
from runexp.store.locks import inherit, release
from runexp.strategies.board import Board, Post
from runexp.strategies.clusters import connected
from runexp.strategies.engines import ClusterGone, Engine, Site, Task, WorkLost
from runexp.strategies.fold_run import Around, FoldJob, Led, finished, run_fold
from runexp.strategies.processes import Ended, ended_by

_TICK_S = 0.2
_PATIENCE_S = 60.0  # for whoever had the fold before to come to the end of its batch


def run_on_cluster(jobs: Sequence[FoldJob], around: Around, site: Site) -> Led:
    """Each job with its events, in the order of the jobs, once it has ended; all of them run at once.

    Folds that are over are told again from their records. Where the cluster goes away, what is left fails.
    """
    left = [job for job in jobs if not job.is_over]
    with ExitStack() as way_out:
        try:
            engine = way_out.enter_context(connected(site, max(1, len(left))))
            board = way_out.enter_context(Board(jobs[0].keeping.cluster))
            tasks, why = _given_out(left, around, engine, board)
        except ClusterGone as gone:
            tasks, why = dict[int, Task](), str(gone)
        for job in jobs:
            index = job.fold.index
            if job not in left:
                yield job, run_fold(job, around)
            elif index not in tasks:
                yield job, _failed(job, why)
            elif _has_ended(tasks[index], index, around, board):
                yield job, _told(job, tasks[index], around)
            else:
                break
        for task in tasks.values():
            task.cancel()


def work(job: FoldJob, wants: frozenset[type], post: Post) -> Ended:
    """Run one fold in a worker of the cluster; what it tells is in its record."""
    control = Control()
    memory = held_to(replace(job.plan.guards, time=None), control)
    with post.manned(control), OwnModules(job.code_folders, job.code_names), settled(job.plan.execution), memory:
        if control.signal:
            return Ended()
        with _held(job.keeping.cluster / job.fold.label):
            return _run_to_its_end(job, Around(control, Live(), wants))


def _run_to_its_end(job: FoldJob, around: Around) -> Ended:
    events = run_fold(job, around)
    try:
        while True:
            next(events)
    except StopIteration as ended:
        return ended_by(ended.value)


def _given_out(jobs: Sequence[FoldJob], around: Around, engine: Engine, board: Board) -> tuple[Mapping[int, Task], str]:
    """The tasks of all jobs; none where a machine of the cluster does not see the run folder, and then why."""
    said = engine.on_each(Post.look, board.post(0))
    for name, why in said.items():
        if why:
            return {}, f"{name}: {why}: all machines of a cluster have to share it"
    given = {job.fold.index: (work, job, around.wants, board.post(job.fold.index)) for job in jobs}
    return {index: engine.submit(*what) for index, what in given.items()}, ""


def _has_ended(task: Task, index: int, around: Around, board: Board) -> bool:
    """Wait for a job, and pass a signal on. After one, what nobody has begun with is not waited for."""
    while not task.is_done:
        board.say(around.control.signal)
        if around.control.signal and not board.has_begun(index):
            return False
        time.sleep(_TICK_S)
    return True


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Alone with the fold: a worker that was given up may still be at it."""
    make_folders(folder)
    lock = inherit(folder, patience_s=_PATIENCE_S)
    try:
        yield
    finally:
        release(lock)


def _told(job: FoldJob, task: Task, around: Around) -> Generator[Told, None, Exception | None]:
    """What a fold has told until its job ended, and what it failed of."""
    yield from job.keeping.record(job.fold).told()
    try:
        ended: Ended = task.result()
    except (WorkLost, ClusterGone) as lost:
        return (yield from _failed(job, str(lost)))
    if ended.kind == LimitExceeded.__name__:
        around.control.exceed("guards.memory", LimitExceeded(ended.message))
    return ended.as_error()


def _failed(job: FoldJob, why: str) -> Generator[Told, None, Exception | None]:
    yield finished(job.fold, "failed", why, job.fold.label)
    lost = RuntimeError(why)
    lost.add_note(f"in {job.fold.label}")
    return lost
