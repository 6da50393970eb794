"""How the process ends: interrupted, terminated, or by a fault of ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ENDLESS = ["--set", "phases.train.epochs=1000000", "--set", "callbacks.stop.patience=1000000"]
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Endless runs, one for each signal, that got it while they trained."""
    started = {}
    for number in SIGNALS:
        folder = tmp_path_factory.mktemp(number.name) / "run"
        command = [sys.executable, "-m", "runexp", "run", ROOT / "specs/quickstart.yaml", *ENDLESS, "--run-dir", folder]
        process = subprocess.Popen(
            [str(part) for part in command],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started[number] = (folder, process)
    return {number: (folder, *_stop(folder, process, number)) for number, (folder, process) in started.items()}


def _stop(folder, process, number):
    until = time.monotonic() + 90
    while time.monotonic() < until and process.poll() is None and not _trains(folder):
        time.sleep(0.05)
    process.send_signal(number)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, err


def _trains(folder):
    events = folder / "events.jsonl"
    return events.is_file() and "EpochFinished" in events.read_text()


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_during_training_ends_the_run_cleanly(stopped, number):
    folder, code, out, err = stopped[number]
    assert code == SIGNALS[number]
    assert f"interrupted by {number.name}" in err
    assert "Traceback" not in out + err
    assert json.loads((folder / "status.json").read_text())["state"] == "interrupted"


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_every_file_of_an_interrupted_run_is_whole(stopped, number):
    folder, *_ = stopped[number]
    for name in ("plan.json", "lock.json", "status.json", "summary.json"):
        json.loads((folder / name).read_text())
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "RunFinished"
    assert events[-1]["status"] == "interrupted"
    assert (folder / "metrics.csv").read_text().endswith("\n")
    assert (folder / "checkpoints" / "final" / "weights.safetensors").stat().st_size > 0
    assert [path for path in folder.rglob("*") if path.name.startswith(".") or path.suffix == ".tmp"] == []


def test_a_piped_run_is_plain(stopped):
    _, _, out, err = stopped[signal.SIGINT]
    assert "\x1b" not in out + err
    assert "phase train: train on train, 1258 rows" in err


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    """A folder for PYTHONPATH that breaks one of our own passes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "faulty"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import runexp.compiler\n"
        "def broken(*args, **options): raise ZeroDivisionError('no such luck')\n"
        "runexp.compiler.link_graph = broken\n"
    )
    return folder


def test_a_fault_of_ours_ends_with_3_and_says_where_its_details_are(faulty, run_python, quickstart, tmp_path):
    ended = run_python("-m", "runexp", "validate", quickstart, path=[faulty])
    assert ended.returncode == 3
    assert "this is a bug in runexp: ZeroDivisionError: no such luck" in ended.stderr
    assert "Traceback" not in ended.stderr
    (details,) = (tmp_path / "cache").rglob("fault-*.txt")
    assert str(details) in ended.stderr
    assert "Traceback" in details.read_text()
    assert "link_graph" in details.read_text() or "broken" in details.read_text()


def test_a_fault_of_ours_leaves_no_run_folder(faulty, run_python, quickstart, tmp_path):
    assert run_python("-m", "runexp", "run", quickstart, path=[faulty]).returncode == 3
    assert not (tmp_path / "runs").exists()


def test_a_reader_that_goes_away_is_no_fault(run_python, quickstart):
    script = (
        "import subprocess, sys\n"
        f"command = [sys.executable, '-m', 'runexp', 'plan', {quickstart!r}, '--format', 'json']\n"
        "process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)\n"
        "process.stdout.close()\n"
        "print(process.wait(), process.stderr.read().decode())\n"
    )
    ended = run_python("-c", script)
    assert "bug" not in ended.stdout
    assert "Traceback" not in ended.stdout
