"""The trials of a sweep on a cluster: each is a job, and all machines see the folder of the sweep (S-48).

A trial whose worker dies is given to another, and goes on there from its own folder.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from runexp.engine.control import Control
from runexp.store.locks import LOCK, inherit, release
from runexp.strategies.board import Board, Post
from runexp.strategies.clusters import connected
from runexp.strategies.engines import ClusterGone, Engine, Site, Task, WorkLost
from runexp.strategies.sweep_run import PRUNED, Hear, Next, Outcome, TrialJob, TrialProgress

_TICK_S = 0.2
_PATIENCE_S = 60.0


class BlindCluster(Exception):  # noqa: N818 - it reads as what happened
    """Machines of a cluster do not see the folder of a sweep."""


def run_on_cluster(
    following: Next, hear: Hear, control: Control, *, site: Site, n_jobs: int, folder: Path
) -> Iterator[tuple[int, Outcome]]:
    """As many trials at once as the cluster has workers, told as they end; ends where none is left, or after a signal.

    They speak through `folder`. `ClusterGone` where the cluster goes away, `BlindCluster` where it cannot see that.
    """
    running: dict[int, Task] = {}
    try:
        with connected(site, n_jobs) as engine, Board(folder) as board:
            _refuse(engine.on_each(Post.look, board.post(0)))
            _give_out(running, following, control, (engine, board))
            while running:
                yield from _heard(running, board, hear, control)
                time.sleep(_TICK_S)
                _give_out(running, following, control, (engine, board))
    except ClusterGone:
        yield from ((number, Outcome("interrupted")) for number in running)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def work(job: TrialJob, post: Post) -> Outcome:
    """Run one trial in a worker of the cluster; where it stands is reported by a file."""
    control = Control()
    with post.manned(control):
        if control.signal:
            return Outcome("interrupted")
        if (job.folder / LOCK).is_file():  # a worker that was given up may still be at it
            release(inherit(job.folder, patience_s=_PATIENCE_S))
        return job.run(control, lambda progress: post.report(asdict(progress)))


def _give_out(running: dict[int, Task], following: Next, control: Control, to: tuple[Engine, Board]) -> None:
    """As many trials as there is room for; one where there is no worker yet."""
    engine, board = to
    while not control.signal and len(running) < max(1, engine.n_slots) and (given := following()) is not None:
        asked, job = given
        running[asked.number] = engine.submit(work, job, board.post(asked.number))


def _refuse(said: Mapping[str, str]) -> None:
    blind = next((f"{name}: {why}" for name, why in said.items() if why), "")
    if blind:
        raise BlindCluster(f"{blind}: all machines of a cluster have to share it")


def _heard(running: dict[int, Task], board: Board, hear: Hear, control: Control) -> Iterator[tuple[int, Outcome]]:
    """Pass on what is told, both ways, and take out of `running` what has ended."""
    board.say(control.signal)
    for number in list(running):
        for told in board.heard(number):
            if told and hear(number, TrialProgress(**told)):
                board.end(number, PRUNED)
        outcome = _outcome(running[number], number, board, control)
        if outcome is not None:
            del running[number]
            yield number, outcome


def _outcome(task: Task, number: int, board: Board, control: Control) -> Outcome | None:
    """How a trial ended; None while it runs. After a signal, what nobody has begun with is not waited for."""
    if not task.is_done:
        if not control.signal or board.has_begun(number):
            return None
        task.cancel()
        return Outcome("interrupted")
    try:
        outcome: Outcome = task.result()
    except WorkLost as lost:
        return Outcome("failed", error=str(lost))
    return outcome
