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

# Imports once; then each line it reads is a process of its own, of which it tells the number, and how it ended.
NURSERY = """\
import os, sys, traceback
from pathlib import Path
from runexp.api.checking import check
from runexp.api.resuming import CannotResume, open_run, resume
from runexp.api.running import Place, run

def live(how, spec, folder):
    if how == "begin":
        run(check(spec), Place(at=Path(folder), save_every_s=0.05), watch=lambda live: ())
    else:
        resume(open_run(Path(folder)), watch=lambda live: (), save_every_s=0.05)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            live(*line.split())
        except CannotResume as refusal:
            os._exit(0 if refusal.is_over else 1)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Nursery:
    """Runs `demo.yaml` in processes that can be killed."""

    def __init__(self, folder):
        self._spec = folder / "demo.yaml"
        self._spec.write_text(SPEC)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()

    def live(self, how, folder, seconds=None):
        """Begin or resume a run, and kill it so many seconds after it began with its phases; how it ended."""
        before = last_change(folder)
        self._process.stdin.write(f"{how} {self._spec} {folder}\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        if seconds is not None:
            self._kill(child, folder, before, seconds)
        return int(self._process.stdout.readline())

    def _kill(self, child, folder, before, seconds):
        patience = time.monotonic() + 30
        while last_change(folder) == before and time.monotonic() < patience:
            time.sleep(0.002)
        time.sleep(seconds)
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            return  # it has ended by itself


def last_change(folder):
    """When the run last wrote its events or a state; 0 before there are events."""
    try:
        return max(path.stat().st_mtime_ns for path in (folder / "events.jsonl", folder / "progress"))
    except FileNotFoundError:
        return 0


def check_kills(n_kills, tmp_path, seed):
    """Kill runs until there were so many kills; each ends as the one that was left alone."""
    with Nursery(tmp_path) as nursery:
        assert nursery.live("begin", tmp_path / "whole") == 0
        instants = random.Random(seed)
        n_done, n_runs = 0, 0
        while n_done < n_kills:
            folder, how = tmp_path / f"run-{n_runs}", "begin"
            n_runs += 1
            while n_done < n_kills:
                ended = nursery.live(how, folder, instants.uniform(0, 0.5))
                assert ended in (0, -signal.SIGKILL)
                if ended == 0:
                    break
                n_done, how = n_done + 1, "resume"
            if ended:
                assert nursery.live("resume", folder) == 0
            assert_same(folder, tmp_path / "whole", numbered=True)


@pytest.mark.slow
def test_a_run_killed_at_some_instants_ends_as_if_it_had_not_been(tmp_path):
    check_kills(4, tmp_path, seed=1)


@pytest.mark.slow
def test_a_run_killed_at_a_hundred_instants_ends_as_if_it_had_not_been(tmp_path):
    check_kills(100, tmp_path, seed=2)
