"""`--grace`: a job that is asked to end does so in time, from wherever it is, and goes on when it is queued again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from resume.runs import assert_same

BUSY = """\
import os, signal, sys, time
from runexp.cli.grace import leaving_in_time
from runexp.cli.watching import stop_on_signals
from runexp.engine.control import Control

control = Control()
stop_on_signals(control)
control.abandon = lambda: ("let go", "to go on: …")
with leaving_in_time(control, 0.2):
    os.kill(os.getpid(), signal.Signals[sys.argv[1]])
    until = time.monotonic() + float(sys.argv[2])
    while time.monotonic() < until:
        sum(range(1000))
print("left by itself")
"""
SLOW = """\
import time
from pathlib import Path
import numpy as np

def slow(y_true, y_pred):
    if Path("asleep").exists() and Path("run/events.jsonl").exists():
        Path("evaluating").touch()
        time.sleep(60)
    return float(np.mean(y_true == y_pred.argmax(1)))
"""
SPEC = """\
runexp: 1
name: slow
seed: 3
imports: [slow]
execution: {device: cpu, threads: 1}
data:
  d:
    source: sklearn.datasets.load_iris
    features: {x: ["sepal *", "petal *"]}
    targets: {y: target}
    splits: {train: 0.6, val: 0.4}
nodes:
  body: {inputs: d.x, layers: [{torch.nn.Linear: {out_features: 8}}, {torch.nn.Dropout: {p: 0.3}}]}
  head: {inputs: body, use: torch.nn.Linear, with: {out_features: 3}}
losses: {ce: {node: head, use: cross_entropy}}
callbacks:
  validate: {use: evaluation, split: val, every_n_epochs: 3, metrics: [{use: slow.slow}]}
phases:
  train: {kind: train, epochs: 6, batches: {size: 16}, losses: [ce], optimizer: {use: adam}, callbacks: [validate]}
"""


@pytest.mark.parametrize(
    ("name", "busy_s", "code"), [("SIGTERM", 60, 143), ("SIGUSR1", 60, 143), ("SIGTERM", 0, 0), ("SIGINT", 1, 0)]
)
def test_what_cannot_be_left_in_time_is_broken_off_and_nothing_else(run_python, name, busy_s, code):
    """Ctrl-C has no grace: whoever pressed it can press it again."""
    began = time.monotonic()
    ended = run_python("-c", BUSY, name, str(busy_s))
    assert ended.returncode == code
    assert time.monotonic() - began < 30
    assert ("left by itself" in ended.stdout) == (code == 0)
    assert ("let go\nto go on" in ended.stderr) == (code == 143)


def ask_to_end(home, number, *given, when):
    """Begin `slow.yaml`, and send the signal once it has come so far; code, error output, seconds it took."""
    command = [sys.executable, "-m", "runexp", "run", "slow.yaml", "--run-dir", "run", *given]
    with subprocess.Popen(command, cwd=home, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        patience = time.monotonic() + 90
        while not when(home) and process.poll() is None and time.monotonic() < patience:
            time.sleep(0.02)
        asked = time.monotonic()
        os.kill(process.pid, number)
        _, told = process.communicate(timeout=60)
        return process.returncode, told, time.monotonic() - asked


def trained(home):
    events = home / "run" / "events.jsonl"
    return events.is_file() and "EpochFinished" in events.read_text()


def check_it_goes_on(home, run_python):
    """The same line, queued again, ends as a run that was never asked to stop; once more, it has nothing to do."""
    again = ("-m", "runexp", "run", "slow.yaml", "--resume", "auto", "--run-dir", "run")
    ended = run_python(*again, cwd=home)
    assert ended.returncode == 0, ended.stderr
    assert run_python("-m", "runexp", "run", "slow.yaml", "--run-dir", "whole", cwd=home).returncode == 0
    assert_same(home / "run", home / "whole")
    assert run_python(*again, cwd=home).returncode == 0


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "slow.yaml").write_text(SPEC)
    return tmp_path


@pytest.mark.slow
def test_a_job_in_an_evaluation_that_takes_too_long_leaves_in_time_and_goes_on_when_queued_again(home, run_python):
    """S-40."""
    (home / "asleep").touch()
    evaluating = home / "evaluating"
    given = ("--grace", "2", "--save-every", "0")
    code, told, seconds = ask_to_end(home, signal.SIGTERM, *given, when=lambda _: evaluating.exists())
    assert code == 143
    assert 1.5 < seconds < 10
    assert "interrupted by SIGTERM; what it was at could not be left within 2 s" in told
    assert "its newest state was saved" in told
    assert json.loads((home / "run/status.json").read_text())["state"] == "interrupted"
    (home / "asleep").unlink()
    check_it_goes_on(home, run_python)


@pytest.mark.slow
def test_a_job_that_trains_saves_at_once_says_how_long_that_took_and_goes_on_when_queued_again(home, run_python):
    """S-40."""
    (home / "slow.yaml").write_text(SPEC.replace("epochs: 6", "epochs: 600"))
    code, told, seconds = ask_to_end(home, signal.SIGUSR1, "--grace", "20", when=trained)
    assert code == 143
    assert seconds < 10
    assert "interrupted by SIGUSR1, saved and left after" in told
    assert json.loads((home / "run/status.json").read_text())["state"] == "interrupted"
    check_it_goes_on(home, run_python)
