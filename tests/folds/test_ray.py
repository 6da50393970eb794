"""Folds and trials through Ray: as one after the other, also where a worker is killed (S-47, S-48)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from folds.tables import ran, spec
from folds.test_s47_going_on import assert_alike, write_spec
from runexp.catalog.versions import installed_version
from runexp.diagnostics import SpecError
from runexp.strategies import ray_engine
from runexp.strategies.engines import WorkLost
from runexp.strategies.ray_engine import RayTask

needs_ray = pytest.mark.skipif(installed_version("ray") is None, reason="ray is not installed")


@pytest.mark.slow
@needs_ray
def test_workers_of_this_machine_give_the_bits_of_one_process_though_one_is_killed(tmp_path):
    """When two folds have begun, a worker is killed; its fold goes on in another."""
    path = write_spec(tmp_path)
    path.write_text(path.read_text().replace("epochs: 2", "epochs: 40"))
    assert ran(path, tmp_path / "whole").status == "completed"
    killer = subprocess.Popen([sys.executable, "-c", KILLER, str(tmp_path / "run")])
    finished = ran(path, tmp_path / "run", "cv.execution=ray", "cv.workers=2")
    assert killer.wait() == 0
    assert finished.status == "completed"
    assert_alike(tmp_path / "run", tmp_path / "whole")


KILLER = """\
import os, signal, sys, time
from pathlib import Path
folder, until = Path(sys.argv[1]), time.monotonic() + 300
while len(list((folder / "progress").glob("fold-*/events.jsonl"))) < 2 and time.monotonic() < until:
    time.sleep(0.01)
time.sleep(0.3)
commands = Path("/proc").glob("[0-9]*/cmdline")
(worker, *_) = [path.parent.name for path in commands if path.read_bytes().startswith(b"ray::work")]
os.kill(int(worker), signal.SIGKILL)
"""


def test_a_cluster_that_does_not_answer_is_named_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", FakeRay())
    monkeypatch.setattr(ray_engine, "PATIENCE_S", 0.5)
    path = spec(tmp_path, "{folds: 2, execution: ray, cluster: '127.0.0.1:9'}")
    with pytest.raises(SpecError, match=r"no Ray cluster answers at `127\.0\.0\.1:9`"):
        ran(path, tmp_path / "run")
    assert not (tmp_path / "run").exists()


class RayError(Exception):
    """What all errors of Ray's are."""


class WorkerCrashedError(RayError):
    """A worker died."""


class FakeRay:
    """As much of the library as gives out jobs; each reference is what getting it gives, or raises."""

    exceptions = type("exceptions", (), {"RayError": RayError})

    def wait(self, references, timeout):
        return references, []

    def get(self, reference):
        if isinstance(reference, Exception):
            raise reference
        return reference


def given_out(*results):
    left = iter(results)
    task = RayTask(FakeRay(), lambda: next(left))
    looks = [task.is_done for _ in results]
    return task, looks


def test_a_job_is_given_out_again_where_its_worker_died():
    task, looks = given_out(WorkerCrashedError(), WorkerCrashedError(), "done")
    assert looks == [False, False, True]
    assert task.result() == "done"


def test_a_job_whose_workers_die_again_and_again_is_given_up_and_says_why():
    task, looks = given_out(*[WorkerCrashedError()] * 4)
    assert looks == [False, False, False, True]
    with pytest.raises(WorkLost, match=r"4 workers died while they worked on it: that is mostly for lack of memory"):
        task.result()


def test_what_a_job_fails_of_is_not_tried_again():
    task, looks = given_out(RayError("ModuleNotFoundError: no module named 'runexp'"))
    assert looks == [True]
    with pytest.raises(WorkLost, match="no module named 'runexp'"):
        task.result()
