"""S-48: sweeps as processes of their own: killed without warning, interrupted, spread over workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import runexp
from sweep.children import children_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
THIRTY = {
    "random": """
sampler: random
trials: 30
parameters:
  vars.neighbours: {low: 1, high: 15, integer: true}
  nodes.near.with.p: {low: 1, high: 3}
objective: test.accuracy
""",
    "grid": """
sampler: grid
parameters:
  vars.neighbours: {low: 1, high: 15, integer: true}
  nodes.near.with.p: [1, 2]
objective: test.accuracy
execution: processes
workers: 2
""",
}


@pytest.fixture
def start():
    """Begin `runexp sweep` in a process of its own."""
    begun = []

    def started(runs):
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "runexp", "sweep", "small.yaml", "--runs", runs]
        begun.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        return begun[-1]

    yield started
    for process in begun:
        process.kill()


def folder_in(runs):
    return next(Path(runs, "small").glob("sweep-*"))


def wait_for(process, runs, n):
    """Until the n-th trial has begun."""
    until = time.monotonic() + 120
    while len(list(Path(runs).glob("small/sweep-*/trials/*"))) < n:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


def outcome(runs):
    results = runexp.open_sweep(folder_in(runs))
    return [(trial.number, trial.id, dict(trial.changes), trial.status, trial.values) for trial in results.trials]


@pytest.mark.parametrize("sampler", THIRTY)
def test_thirty_trials_killed_twice_are_thirty_trials_and_none_is_repeated(sampler, write, sweep, start):
    """As they are when they run in one process, one after the other, and nothing happens to it."""
    write(THIRTY[sampler].partition("execution")[0])
    sweep("small.yaml", "whole")
    write(THIRTY[sampler])
    ended = {}
    for n in (9, 20):
        killed = start("broken")
        wait_for(killed, "broken", n)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        for summary in folder_in("broken").glob("trials/*/summary.json"):
            if json.loads(summary.read_text())["status"] == "completed":
                ended.setdefault(summary, summary.stat().st_mtime_ns)
    assert len(ended) > 9
    assert start("broken").wait(300) == 0
    assert outcome("broken") == outcome("whole")
    assert [trial[3] for trial in outcome("broken")] == ["completed"] * 30
    folders = [len(list(folder_in(runs).glob("trials/*"))) for runs in ("broken", "whole")]
    assert folders == [30, 30]
    assert {summary: summary.stat().st_mtime_ns for summary in ended} == ended


def test_ctrl_c_ends_all_workers_and_the_same_command_goes_on(write, start):
    write(THIRTY["grid"])
    process = start("runs")
    wait_for(process, "runs", 5)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert "the same command goes on" in process.communicate()[1]
    done = len(runexp.open_sweep(folder_in("runs")).completed)
    assert done < 30
    assert start("runs").wait(300) == 0
    assert len(runexp.open_sweep(folder_in("runs")).completed) == 30


def test_a_worker_that_dies_loses_its_trial_alone(write, start):
    write(THIRTY["grid"].replace("high: 15", "high: 3"))
    process = start("runs")
    wait_for(process, "runs", 1)
    os.kill(children_of(process.pid)[0], signal.SIGKILL)
    assert process.wait(300) == 0, process.communicate()
    results = runexp.open_sweep(folder_in("runs"))
    (lost,) = [trial for trial in results.trials if trial.status == "failed"]
    assert "its process ended by signal 9" in lost.error
    assert len(results.completed) == 5
