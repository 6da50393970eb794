"""A run has its folder for itself."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runexp.store.names import check_run_name
from runexp.store.run_folder import FolderInUse, RunFolder
from runexp.store.status import read_status

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)

STARTER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from runexp.store.run_folder import FolderInUse, RunFolder

runs, at = Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2] else None
print("ready", flush=True)
sys.stdin.readline()
try:
    folder = RunFolder.create(runs, "digits", at=at, now=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))
    print("made", folder.path, flush=True)
except FolderInUse as refused:
    print("refused", refused, flush=True)
sys.stdin.readline()
"""


def start_all_at_once(n, runs, at=""):
    """What `n` processes say that start a run at the same moment and live until all have answered."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", STARTER, str(runs), str(at)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    processes = [subprocess.Popen(command, env=environment, **pipes) for _ in range(n)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
    said = [process.stdout.readline().split(maxsplit=1) for process in processes]
    for process in processes:
        process.communicate("end\n")
    return said, [process.pid for process in processes]


def test_eight_at_once_get_eight_folders(tmp_path):
    said, _ = start_all_at_once(8, tmp_path / "runs")
    assert [word for word, _ in said] == ["made"] * 8
    assert len({path for _, path in said}) == 8


def test_eight_at_once_on_one_folder_have_one_winner(tmp_path):
    said, pids = start_all_at_once(8, tmp_path / "runs", at=tmp_path / "here")
    words = [word for word, _ in said]
    assert sorted(words) == ["made"] + ["refused"] * 7
    winner = pids[words.index("made")]
    assert read_status(tmp_path / "here").pid == winner
    assert not (tmp_path / "runs").exists()


def test_a_folder_is_named_by_the_time_in_utc_and_made_below_the_name(tmp_path):
    local = NOW.astimezone(timezone(timedelta(hours=2)))
    with RunFolder.create(tmp_path / "a" / "runs", "digits", now=local) as folder:
        assert folder.path.parent == tmp_path / "a" / "runs" / "digits"
        assert re.fullmatch(r"20260304-050607-[0-9a-f]{4}", folder.id)
        status = read_status(folder.path)
        assert (status.state, status.started, status.pid) == (
            "running",
            "2026-03-04T05:06:07.890Z",
            os.getpid(),
        )


def test_exactly_the_folder_asked_for_is_used_if_new_or_empty(tmp_path):
    (tmp_path / "empty").mkdir()
    for at in (tmp_path / "empty", tmp_path / "deep" / "new"):
        with RunFolder.create(tmp_path / "runs", "digits", at=at, now=NOW) as folder:
            assert folder.path == at
    assert not (tmp_path / "runs").exists()


def test_a_folder_with_something_in_it_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FolderInUse, match="not empty; a run needs a new or an empty folder"):
        RunFolder.create(tmp_path / "runs", "digits", at=tmp_path, now=NOW)
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_a_folder_that_a_finished_run_left_is_refused(tmp_path):
    RunFolder.create(tmp_path, "digits", at=tmp_path / "run", now=NOW).close()
    with pytest.raises(FolderInUse, match="is not empty"):
        RunFolder.create(tmp_path, "digits", at=tmp_path / "run", now=NOW)


@pytest.mark.parametrize("at", ["file", "file/below"])
def test_a_file_is_no_folder(tmp_path, at):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FolderInUse, match="is a file"):
        RunFolder.create(tmp_path / "runs", "digits", at=tmp_path / at, now=NOW)


def test_a_folder_in_use_is_refused_naming_who_uses_it(tmp_path):
    with RunFolder.create(tmp_path, "digits", at=tmp_path / "run", now=NOW):
        who = rf"in use by process {os.getpid()} on {re.escape(socket.gethostname())}, since 2026-03-04T"
        with pytest.raises(FolderInUse, match=who):
            RunFolder.create(tmp_path, "digits", at=tmp_path / "run", now=NOW)


def test_the_lock_of_a_dead_process_holds_nobody_off(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "lock").touch()
    with RunFolder.create(tmp_path, "digits", at=tmp_path / "run", now=NOW) as folder:
        assert read_status(folder.path).state == "running"


def test_files_are_written_inside_and_nowhere_else(tmp_path):
    with RunFolder.create(tmp_path, "digits", now=NOW) as folder:
        assert folder.write("artifacts/a/notes.txt", "hello").read_text() == "hello"
        (folder.path / "link").symlink_to(tmp_path)
        for relative in ("../escape", "/tmp/escape", "link/escape", "a/../../escape", ""):
            with pytest.raises(ValueError, match="no path inside a run folder"):
                folder.write(relative, "x")
    assert os.listdir(tmp_path) == ["digits"]


def test_checkpoints_open_without_what_a_killed_process_left(tmp_path):
    with RunFolder.create(tmp_path, "digits", now=NOW) as folder:
        left = folder.checkpoints().begin("train/a")
        assert left.is_dir()
        folder.checkpoints()
        assert not left.exists()


def test_the_status_follows_and_the_end_is_timed(tmp_path):
    with RunFolder.create(tmp_path, "digits", now=NOW) as folder:
        folder.status.update("running", phase="train", epoch=3, step=40)
        status = read_status(folder.path)
        assert (status.phase, status.epoch, status.step, status.ended) == ("train", 3, 40, "")
        folder.status.update("failed", phase="train", error="loss is nan", where="train")
        status = read_status(folder.path)
        assert (status.state, status.error, status.where) == ("failed", "loss is nan", "train")
        assert status.ended > status.started


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"state": "running"}', "\udcff"])
def test_a_status_that_cannot_be_read_is_none(tmp_path, text):
    (tmp_path / "status.json").write_bytes(text.encode(errors="surrogateescape"))
    assert read_status(tmp_path) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".a",
        "-a",
        "_a",
        "a/b",
        "a b",
        "a.",
        "a\n",
        "é",
        "a" * 101,
        "con",
        "NUL",
        "com1.txt",
        "aux.a.b",
    ],
)
def test_a_name_that_is_not_safe_everywhere_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="cannot name a run"):
        RunFolder.create(tmp_path, name, now=NOW)
    assert os.listdir(tmp_path) == []


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,98}[A-Za-z0-9]", fullmatch=True))
def test_a_name_that_is_taken_names_one_folder_below(name):
    try:
        check_run_name(name)
    except ValueError as refused:
        assert "device" in str(refused)
    assert Path("/runs", name).resolve().parent == Path("/runs")
