"""S-47, S-48: repeats in worker processes: the same bits, all end at Ctrl-C, one that dies loses itself alone."""

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


@pytest.fixture
def start(write, network):
    """Begin `runexp run net.yaml --replicates 5 …` in a process of its own; its spec trains for some epochs."""
    path = write("x: 0", text=network, name="net.yaml")
    path.write_text(path.read_text().partition("sweep:")[0].replace("epochs: 3", "epochs: 100"))
    begun = []

    def started(runs, *options):
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "runexp", "run", "net.yaml", "--replicates", "5", "--runs", runs, *options]
        begun.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        return begun[-1]

    yield started
    for process in begun:
        process.kill()
        process.communicate()


def results_in(runs):
    return runexp.open_sweep(next(Path(runs, "net").glob("replicates-*")))


def wait_for_training(process, runs):
    """Until a repeat has told of an epoch."""
    until = time.monotonic() + 120
    while not any("EpochFinished" in log.read_text() for log in Path(runs).glob("net/*/trials/*/events.jsonl")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


def bits_of(runs):
    """Numbers and weights of every repeat."""
    results = results_in(runs)
    weights = {
        str(file.relative_to(results.folder)): file.read_bytes()
        for file in sorted(results.folder.glob("trials/*/checkpoints/final/**/*.safetensors"))
    }
    assert len(weights) >= 5
    return [(trial.id, trial.status, dict(trial.metrics)) for trial in results.trials], weights


def test_in_processes_repeats_are_bit_by_bit_those_one_after_the_other_also_when_killed_and_gone_on_with(start):
    in_turn, killed = start("in_turn"), start("beside", "--workers", "2")
    wait_for_training(killed, "beside")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    beside = start("beside", "--workers", "2")
    assert (in_turn.wait(300), beside.wait(300)) == (0, 0), beside.communicate()
    assert bits_of("beside") == bits_of("in_turn")


def test_ctrl_c_ends_all_repeats_and_the_same_command_goes_on(start):
    process = start("runs", "--workers", "2", "--format", "json")
    wait_for_training(process, "runs")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    out, err = process.communicate()
    assert "the same command goes on" in err
    assert "interrupted" in {trial["status"] for trial in json.loads(out)["trials"]}
    assert start("runs", "--workers", "2").wait(300) == 0
    assert len(results_in("runs").completed) == 5


def test_a_repeat_whose_process_dies_is_told_of_and_the_others_run_on(start):
    process = start("runs", "--workers", "2")
    wait_for_training(process, "runs")
    os.kill(children_of(process.pid)[0], signal.SIGKILL)
    assert process.wait(300) == 1
    assert "its process ended by signal 9" in process.communicate()[1]
    assert sorted(trial.status for trial in results_in("runs").trials) == ["completed"] * 4 + ["failed"]
    assert start("runs", "--workers", "2").wait(300) == 0
    assert len(results_in("runs").completed) == 5
