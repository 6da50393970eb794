"""S-48: trials on a cluster: the same as one after the other, whoever dies meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

import runexp
from folds.processes_of_clusters import DaskCluster
from runexp.api.checking import check
from runexp.diagnostics import SpecError
from runexp.engine.control import Control
from runexp.store.locks import LOCK, FolderInUse, hold, inherit, release
from runexp.strategies import board as module_of_board
from runexp.strategies import sweep_cluster
from runexp.strategies.board import Board, CannotWork
from runexp.strategies.engines import ClusterGone, Site, WorkLost
from runexp.strategies.sweep_cluster import BlindCluster, run_on_cluster
from runexp.strategies.sweep_run import Outcome, TrialProgress
from runexp.strategies.sweep_search import Asked

GRID = """
sampler: grid
parameters:
  vars.neighbours: {low: 1, high: 6, integer: true}
  nodes.near.with.p: [1, 2]
objective: test.accuracy
"""


def on_dask(text, address=None):
    return f"{text}execution: dask\n" + (f"cluster: {address}\n" if address else "workers: 2\n")


def told(results):
    return [(trial.number, trial.id, dict(trial.changes), trial.status, trial.values) for trial in results.trials]


def errors(path):
    return [(item.code, item.message) for item in check(path).diagnostics if item.is_error]


@pytest.mark.slow
def test_trials_on_a_cluster_are_those_of_one_process_though_a_worker_is_killed(write, sweep, tmp_path):
    """The trial of the worker that dies goes on in the other; a worker stands in another folder than the run."""
    write(GRID)
    whole = sweep("small.yaml", "whole")
    with DaskCluster(tmp_path) as cluster:
        workers = [cluster.worker(), cluster.worker()]
        write(on_dask(GRID, cluster.address))
        killer = threading.Thread(target=kill_amid_a_trial, args=(workers[0], tmp_path / "runs"))
        killer.start()
        results = sweep("small.yaml", "runs")
        killer.join()
        assert workers[0].wait() == -signal.SIGKILL
        assert workers[1].poll() is None
    assert told(results) == told(whole)
    assert not (results.folder / "progress").exists()


def kill_amid_a_trial(worker, runs):
    """When two trials have begun."""
    until = time.monotonic() + 120
    while len(list(runs.glob("small/sweep-*/progress/*/*.jsonl"))) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    worker.kill()


@pytest.mark.slow
def test_a_scheduler_that_goes_away_ends_the_sweep_and_the_same_command_goes_on(write, sweep, tmp_path):
    with DaskCluster(tmp_path) as cluster:
        cluster.worker()
        write(on_dask(GRID, cluster.address))
        killer = threading.Thread(target=kill_amid_a_trial, args=(cluster.scheduler, tmp_path / "runs"))
        killer.start()
        Path("runs").mkdir()
        with pytest.raises(ClusterGone, match=r"the Dask scheduler at tcp://.* does not answer any more"):
            sweep("small.yaml", "runs")
        killer.join()
    (folder,) = Path("runs/small").glob("sweep-*")
    assert json.loads((folder / "status.json").read_text())["state"] == "failed"
    assert "failed" not in {trial.status for trial in runexp.open_sweep(folder).trials}
    write(GRID)
    assert {trial.status for trial in sweep("small.yaml", "runs").trials} == {"completed"}


@pytest.mark.slow
def test_ctrl_c_ends_the_trials_of_a_cluster_of_this_machine_and_leaves_no_process(write, tmp_path):
    """A terminal sends it to all processes at once."""
    write(on_dask(GRID))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "runexp", "sweep", "small.yaml", "--runs", "runs"]
    process = subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not list(Path("runs").glob("small/sweep-*/progress/*/*.jsonl")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130, said
    assert "the same command goes on" in said
    assert is_gone_soon(process.pid)


def is_gone_soon(group):
    """Whether all processes of a group end within a few seconds."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


class Answering:
    """A cluster that does its jobs at once, in this process, as far as it is told to."""

    n_slots = 2

    def __init__(self, results=(), looks=None):
        self.results = iter(results)
        self.looks = looks or {}
        self.cancelled = 0

    def submit(self, work, *given):
        return Given(self, next(self.results, None))

    def on_each(self, work, *given):
        return self.looks


class Given:
    def __init__(self, engine, result):
        self._engine, self._result = engine, result
        self.is_done = result is not None

    def result(self):
        if isinstance(self._result, Exception):
            raise self._result
        return self._result

    def cancel(self):
        self._engine.cancelled += 1


class Job:
    """A trial that ends at once."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, control, hear):
        hear(TrialProgress("train 1", {"train.val_loss": 0.5}, 0, 0.5))
        return Outcome("completed", {"train.val_loss": 0.5})


@pytest.fixture
def carry(monkeypatch, tmp_path):
    """The outcomes of three trials on a cluster that answers like this."""

    def carried(engine, control=None, n=3):
        monkeypatch.setattr(sweep_cluster, "connected", lambda site, n_jobs: nullcontext(engine))
        jobs = iter([(Asked(number, {}), Job(tmp_path / str(number))) for number in range(n)])
        site = Site("dask", "sweep", "tcp://a:1")
        return run_on_cluster(
            lambda: next(jobs, None), lambda *_: False, control or Control(),
            site=site, n_jobs=n, folder=tmp_path / "progress",
        )  # fmt: skip

    return carried


def test_a_trial_whose_workers_all_die_has_failed_and_the_others_run_on(carry):
    whole = Outcome("completed", {"a.b": 1.0})
    ended = dict(carry(Answering([whole, WorkLost("4 workers died while they worked on it"), whole])))
    assert [ended[number].ending for number in range(3)] == ["completed", "failed", "completed"]
    assert ended[1].error == "4 workers died while they worked on it"


def test_where_the_cluster_goes_away_its_trials_have_not_failed(carry):
    ended = []
    with pytest.raises(ClusterGone):
        for number, outcome in carry(Answering([None, ClusterGone("it is gone")])):
            ended.append((number, outcome.ending))
    assert ended == [(0, "interrupted"), (1, "interrupted")]


def test_after_a_signal_what_nobody_has_begun_with_is_not_waited_for(carry):
    control, engine = Control(), Answering([None, None])
    endings = carry(engine, control)
    threading.Timer(0.3, control.interrupt, ["SIGINT"]).start()
    assert [(number, outcome.ending) for number, outcome in endings] == [(0, "interrupted"), (1, "interrupted")]
    assert engine.cancelled == 2


def test_machines_that_do_not_see_the_folder_of_the_run_are_named_before_a_trial_is_given_out(carry):
    engine = Answering(looks={"tcp://b:2": "b does not see the folder /home/runs"})
    with pytest.raises(BlindCluster, match=r"tcp://b:2: b does not see the folder /home/runs: all machines of a clust"):
        list(carry(engine))


def test_a_job_ends_at_a_word_of_its_run_that_is_for_all_or_for_it_alone(tmp_path):
    with Board(tmp_path) as board:
        mine, other = Control(), Control()
        with board.post(3).manned(mine):
            assert (board.has_begun(3), board.has_begun(4)) == (True, False)
            board.end(4, "pruned")
            board.end(3, "pruned")
            assert until_ended(mine) == "pruned"
        board.say("SIGINT")
        with board.post(5).manned(other):
            assert other.signal == "SIGINT"


def test_a_job_ends_where_its_run_goes_on_without_it_or_says_nothing_any_more(tmp_path, monkeypatch):
    """A run that was killed is gone on with: what its workers still do is given out anew."""
    first, silent = Control(), Control()
    with Board(tmp_path) as board, board.post(0).manned(first), Board(tmp_path) as second:
        assert until_ended(first) == "SIGTERM"
        monkeypatch.setattr(module_of_board, "_SILENCE_S", 0.3)
        post = second.post(0)
    (tmp_path / "orders.json").write_text(json.dumps({"token": post.token, "beat": 1, "word": "", "ended": {}}))
    with post.manned(silent):
        assert until_ended(silent) == "SIGTERM"


def until_ended(control):
    until = time.monotonic() + 10
    while not control.signal and time.monotonic() < until:
        time.sleep(0.01)
    return control.signal


def test_a_job_that_does_not_see_the_folder_of_its_run_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(module_of_board, "_SEEN_S", 0.1)
    with Board(tmp_path / "run" / "progress") as board:
        assert board.post(1).look() == ""
        elsewhere = replace(board.post(1), folder=tmp_path / "nowhere" / "progress")
    with pytest.raises(CannotWork, match=r"does not see the folder .*nowhere, where the run is: all machines"):
        elsewhere.manned(Control()).__enter__()


def test_what_a_dead_machine_held_is_taken_from_it(tmp_path):
    """The record of another host stands in the file; the system's own lock is free."""
    lock = hold(tmp_path)
    holder = json.loads((tmp_path / LOCK).read_text())
    release(lock)
    (tmp_path / LOCK).write_text(json.dumps(holder | {"host": "elsewhere"}))
    with pytest.raises(FolderInUse, match="on elsewhere"):
        hold(tmp_path)
    release(inherit(tmp_path, patience_s=0.1))
    release(hold(tmp_path))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("workers: 2", "`workers` counts processes, and trials run one after the other"),
        ("cluster: 'tcp://a:1'", "`cluster` is the address of a Dask scheduler or a Ray cluster, and trials are"),
        ("execution: ray\ncluster: 'a:1'\nworkers: 2", "`workers` counts processes of this machine, and a cluster"),
    ],
)
def test_options_that_exclude_each_other_are_refused(lines, message, write):
    ((code, told),) = errors(write(GRID + lines))
    assert code == "exclusive-keys"
    assert told.startswith(message)


def test_folds_of_trials_on_a_cluster_are_not_given_out_from_there(write):
    path = write(on_dask(GRID))
    text = path.read_text().replace("splits: {train: 0.5, test: 0.5}", "")
    path.write_text(text + "cv: {folds: 2, held_out: test, execution: dask}\n")
    assert errors(path) == [
        ("exclusive-keys", "each trial runs on a cluster already, and its folds cannot be given out from there")
    ]


@pytest.mark.parametrize(("execution", "library"), [("dask", ("distributed", "cluster")), ("ray", ("ray", "ray"))])
def test_without_the_library_it_is_said_how_to_install_it(execution, library, write, sweep, monkeypatch):
    module, extra = library
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SpecError) as caught:
        sweep(write(f"{GRID}execution: {execution}"))
    (found,) = caught.value.diagnostics
    assert found.help == f"`pip install 'runexp[{extra}]'`"
    assert found.span is not None
    assert not Path("runs").exists()


def test_the_plan_says_who_gives_out_the_trials(write, cli):
    shown = cli("plan", write(f"{GRID}execution: ray\ncluster: auto")).output
    assert "through Ray, on the cluster it finds" in shown
    assert "through Dask, in 2 processes" in cli("plan", write(on_dask(GRID))).output
