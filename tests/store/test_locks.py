"""Whose folder it is: processes that died hold nobody off, those of other hosts do until someone says otherwise."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys

import pytest

from runexp.store.locks import LOCK, FolderInUse, born, hold, holder_of, is_locked, release


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    return path


def record(folder, **changes):
    """A lock file as a process left it."""
    release(hold(folder))
    path = folder / LOCK
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "born": born(os.getpid()), "file": path.stat().st_ino}
    path.write_text(json.dumps(holder | changes))
    return path


@pytest.fixture
def other():
    """Another process that lives."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.stdin.close()
    process.wait()


@pytest.fixture
def no_flock(monkeypatch):
    def refused(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refused)


def test_a_folder_that_was_let_go_names_nobody(folder):
    held = hold(folder)
    assert is_locked(folder)
    found = holder_of(folder)
    assert (found.host, found.pid, found.born) == (socket.gethostname(), os.getpid(), born(os.getpid()))
    release(held)
    assert holder_of(folder) is None
    assert not is_locked(folder)


def test_a_folder_that_is_held_says_by_whom(folder):
    held = hold(folder)
    with pytest.raises(FolderInUse, match=f"in use by process {os.getpid()} on {socket.gethostname()}$"):
        hold(folder)
    release(held)


def test_a_process_that_is_gone_holds_nobody_off(folder):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    record(folder, pid=gone.pid, born="1")
    release(hold(folder))


def test_a_process_of_the_same_number_that_began_later_is_another(folder, other):
    record(folder, pid=other, born="1")
    release(hold(folder))


def test_without_locks_of_the_system_the_record_of_a_living_process_counts(folder, other, no_flock):
    record(folder, pid=other, born=born(other))
    with pytest.raises(FolderInUse, match=f"process {other}"):
        hold(folder)


def test_a_lock_of_another_host_is_respected_and_says_how_to_take_it_over(folder):
    path = record(folder, host="elsewhere", pid=7)
    with pytest.raises(FolderInUse, match=rf"process 7 on elsewhere; if nothing runs there .* delete .*{LOCK} to take"):
        hold(folder)
    path.unlink()
    release(hold(folder))


@pytest.mark.parametrize(
    ("held", "surroundings", "is_taken_over"),
    [
        pytest.param(("slurm 41", 0), {"SLURM_JOB_ID": "41", "SLURM_RESTART_COUNT": "1"}, True, id="requeued"),
        pytest.param(
            ("slurm 41", 1), {"SLURM_JOB_ID": "41", "SLURM_RESTART_COUNT": "1"}, False, id="another step of it"
        ),
        pytest.param(("slurm 41", 0), {"SLURM_JOB_ID": "41"}, False, id="another task of it"),
        pytest.param(("slurm 40", 0), {"SLURM_JOB_ID": "41", "SLURM_RESTART_COUNT": "1"}, False, id="another job"),
        pytest.param(("train", 5), {"RUNEXP_JOB": "train"}, True, id="named, and started again"),
        pytest.param(("", 0), {"RUNEXP_JOB": "train"}, False, id="held by no job"),
    ],
)
def test_a_job_that_is_started_again_elsewhere_takes_over_what_it_held_before(
    folder, monkeypatch, held, surroundings, is_taken_over
):
    """S-40: a node is lost, and SLURM or Kubernetes starts the same job on another."""
    for name in ("SLURM_JOB_ID", "SLURM_RESTART_COUNT", "RUNEXP_JOB"):
        monkeypatch.delenv(name, raising=False)
    record(folder, host="elsewhere", pid=7, job=held[0], turn=held[1])
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    if is_taken_over:
        lock = hold(folder)
        assert holder_of(folder).host == socket.gethostname()
        release(lock)
    else:
        with pytest.raises(FolderInUse):
            hold(folder)


def test_a_copy_of_a_folder_is_nobodys(folder, tmp_path):
    record(folder, host="elsewhere", pid=7)
    shutil.copytree(folder, tmp_path / "copy")
    release(hold(tmp_path / "copy"))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host": 3}', "\0" * 100])
def test_a_lock_that_says_nothing_holds_nobody_off(folder, content):
    (folder / LOCK).write_text(content)
    release(hold(folder))
