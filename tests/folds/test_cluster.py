"""Folds through Dask: the same bits as one after the other, also where a worker of the cluster is killed (S-47)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import nullcontext

import pytest

from folds.processes_of_clusters import DaskCluster
from folds.tables import ran, spec
from folds.test_s47_going_on import assert_alike, write_spec
from runexp.api.checking import check
from runexp.api.resuming import open_run, resume
from runexp.diagnostics import SpecError
from runexp.engine.control import Control
from runexp.strategies import cluster, dask_engine
from runexp.strategies.engines import ClusterGone


@pytest.mark.slow
def test_a_cluster_gives_the_bits_of_one_process_though_a_worker_is_killed(tmp_path):
    """Two workers; when both have begun with a fold one of them is killed, and its fold goes on in the other."""
    path = write_spec(tmp_path)
    path.write_text(path.read_text().replace("epochs: 2", "epochs: 40"))
    assert ran(path, tmp_path / "whole").status == "completed"
    with DaskCluster(tmp_path) as processes:
        workers = [processes.worker(), processes.worker()]
        killer = subprocess.Popen([sys.executable, "-c", KILLER, str(tmp_path / "run"), str(workers[0].pid)])
        finished = ran(path, tmp_path / "run", "cv.execution=dask", f"cv.cluster={processes.address}")
        assert killer.wait() == 0
        assert workers[0].wait() == -signal.SIGKILL
    assert finished.status == "completed"
    assert_alike(tmp_path / "run", tmp_path / "whole")


KILLER = """\
import os, signal, sys, time
from pathlib import Path
folder, worker = Path(sys.argv[1]), int(sys.argv[2])
while len(list((folder / "progress").glob("fold-*/events.jsonl"))) < 2:
    time.sleep(0.01)
time.sleep(0.3)
os.kill(worker, signal.SIGKILL)
"""


@pytest.mark.slow
def test_without_an_address_workers_of_this_machine_run_the_folds(tmp_path):
    path = write_spec(tmp_path)
    assert ran(path, tmp_path / "whole").status == "completed"
    finished = ran(path, tmp_path / "run", "cv.execution=dask", "cv.workers=2")
    assert finished.status == "completed"
    assert_alike(tmp_path / "run", tmp_path / "whole")


class AtOnce:
    """A cluster that does each job when it is given out, in this process, as long as it is there."""

    n_slots = 1

    def __init__(self, n_jobs=99, looks=None):
        self.n_jobs = n_jobs
        self.looks = looks or {}

    def submit(self, work, *given):
        self.n_jobs -= 1
        return Done(work(*given) if self.n_jobs >= 0 else None)

    def on_each(self, work, *given):
        return self.looks


class Done:
    is_done = True

    def __init__(self, ended):
        self._ended = ended

    def result(self):
        if self._ended is None:
            raise ClusterGone("the Dask scheduler does not answer any more")
        return self._ended

    def cancel(self):
        pass


@pytest.fixture
def answering(monkeypatch):
    """Let this cluster answer, whoever is asked for."""

    def answer(engine):
        monkeypatch.setattr(cluster, "connected", lambda site, n_jobs: nullcontext(engine))

    return answer


def test_where_the_cluster_goes_away_the_run_says_so_and_goes_on_with_what_is_left(tmp_path, answering):
    """S-47: folds that were over are not run again; all is as it would be."""
    path = write_spec(tmp_path)
    assert ran(path, tmp_path / "whole").status == "completed"
    answering(AtOnce(n_jobs=1))
    finished = ran(path, tmp_path / "run", "cv.execution=dask")
    assert finished.status == "failed"
    told = json.loads((tmp_path / "run" / "status.json").read_text())
    assert (
        "2 of 3 folds failed (fold-1, fold-2); fold-1: the Dask scheduler does not answer" in told["error"]["message"]
    )
    answering(AtOnce())
    assert resume(open_run(tmp_path / "run"), watch=lambda live: [], control=Control()).status == "completed"
    assert_alike(tmp_path / "run", tmp_path / "whole")


def test_machines_that_do_not_see_the_run_folder_are_named_and_nothing_is_given_to_them(tmp_path, answering):
    engine = AtOnce(looks={"tcp://b:2": "b does not see the folder /runs, where the run is"})
    answering(engine)
    finished = ran(spec(tmp_path, "{folds: 2, execution: dask}"), tmp_path / "run")
    assert finished.status == "failed"
    assert "tcp://b:2: b does not see the folder /runs, where the run is: all machines" in finished.finished.error
    assert engine.n_jobs == 99


def test_a_scheduler_that_does_not_answer_is_named_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_engine, "PATIENCE_S", 0.5)
    path = spec(tmp_path, "{folds: 2, execution: dask, cluster: 'tcp://127.0.0.1:9'}")
    with pytest.raises(SpecError, match=r"no Dask scheduler answers at `tcp://127\.0\.0\.1:9`"):
        ran(path, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_dask_it_is_said_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SpecError) as caught:
        ran(spec(tmp_path, "{folds: 2, execution: dask}"), tmp_path / "run")
    assert caught.value.diagnostics[0].help == "`pip install 'runexp[cluster]'`"


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        ("{folds: 2, cluster: 'tcp://a:1'}", "`cluster` is the address of a Dask scheduler or a Ray cluster"),
        ("{folds: 2, execution: dask, cluster: 'tcp://a:1', workers: 2}", "`workers` counts processes of this machine"),
        ("{folds: 2, execution: ray, cluster: auto, workers: 2}", "`workers` counts processes of this machine"),
    ],
)
def test_options_that_exclude_each_other_are_refused(cv, message, tmp_path):
    found = [item.message for item in check(spec(tmp_path, cv)).diagnostics if item.code == "exclusive-keys"]
    assert len(found) == 1
    assert found[0].startswith(message)


@pytest.mark.parametrize(
    ("cv", "message", "help"),
    [
        ("{execution: dask, cluster: auto}", "`auto` is an address of Ray, and Dask is asked for", "`execution: ray`"),
        ("{execution: ray, cluster: 'tcp://a:1'}", "`tcp://a:1` is an address of Dask, and", "`execution: dask`"),
        ("{execution: dask, cluster: head}", "`head` is no address of a cluster: it lacks a port", "`tcp://host:8786`"),
    ],
)
def test_an_address_of_another_kind_of_cluster_is_known_before_it_is_asked(cv, message, help, tmp_path):
    (found,) = [item for item in check(spec(tmp_path, cv)).diagnostics if item.is_error]
    assert found.code == "wrong-value"
    assert found.message.startswith(message)
    assert found.help.startswith(help)
