"""Runs killed with SIGKILL at random instants, and gone on with, end with the bits of a whole run (S-40)."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from resume.runs import SPEC, assert_same
from runexp.store.status import read_status

CHILD = """\
import sys
from pathlib import Path
from runexp.api.checking import check
from runexp.api.resuming import open_run, resume
from runexp.api.running import Place, run
spec, folder, how = sys.argv[1:]
print("ready", flush=True)
if how == "begin":
    run(check(spec), Place(at=Path(folder), save_every_s=0), watch=lambda live: ())
else:
    resume(open_run(Path(folder)), watch=lambda live: (), save_every_s=0)
"""


def start(spec, folder, how):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CHILD, spec, folder, how]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def has_begun(folder):
    return (folder / "events.jsonl").is_file()


def kill_after(child, folder, seconds):
    """Kill the child so many seconds after it began to run phases; whether it had not ended by then."""
    child.stdout.readline()
    before = last_change(folder)
    while child.poll() is None and last_change(folder) == before:
        time.sleep(0.005)
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
    said = child.communicate()[1]
    assert child.returncode in (0, -signal.SIGKILL), said
    return child.returncode != 0


def last_change(folder):
    """When the run last saved something or told something."""
    return max((path.stat().st_mtime_ns for path in (folder, folder / "events.jsonl", folder / "progress")
                if path.exists()), default=0) if has_begun(folder) else 0  # fmt: skip


def end(spec, folder, how):
    child = start(spec, folder, how)
    said = child.communicate()[1]
    assert child.returncode == 0, said


def check_kills(n_kills, tmp_path, seed):
    """Kill one run after another until there were so many kills; each ends as the one that was left alone."""
    spec = tmp_path / "demo.yaml"
    spec.write_text(SPEC)
    end(spec, tmp_path / "whole", "begin")
    instants = random.Random(seed)
    n_done, n_runs = 0, 0
    while n_done < n_kills:
        folder = tmp_path / f"run-{n_runs}"
        n_runs += 1
        how = "begin"
        while n_done < n_kills and kill_after(start(spec, folder, how), folder, instants.uniform(0, 0.6)):
            n_done += 1
            how = "resume"
        if read_status(folder).state != "completed":
            end(spec, folder, "resume")
        assert_same(folder, tmp_path / "whole", numbered=True)


def test_a_run_killed_at_ten_instants_ends_as_if_it_had_not_been(tmp_path):
    check_kills(10, tmp_path, seed=1)


@pytest.mark.slow
def test_a_run_killed_at_a_hundred_instants_ends_as_if_it_had_not_been(tmp_path):
    check_kills(100, tmp_path, seed=2)
