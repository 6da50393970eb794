"""`runexp watch`: a run of another process is followed from its event log, and its folder is left as it is."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from run_store.conftest import call
from runexp.api.watching import follow
from runexp.observe.event_log import read_events
from runexp.observe.following import GrowingLog
from runexp.observe.position import Position


def as_running(folder, **changes):
    """Make the folder look as while the run was going; gives its whole log back."""
    log = (folder / "events.jsonl").read_bytes()
    (folder / "events.jsonl").write_bytes(b"")
    set_state(folder, "running", **changes)
    return log


def set_state(folder, state, **changes):
    status = json.loads((folder / "status.json").read_text())
    told = status | {"state": state, "host": socket.gethostname()} | changes
    (folder / "status.aside").write_text(json.dumps(told))
    (folder / "status.aside").replace(folder / "status.json")  # as a run does: whole at every moment


@contextmanager
def held(folder):
    """The lock of the run, as its process holds it."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def written(folder, log, ends="completed", pause=0.003):
    """A process that writes the log, every line in two halves, and then says how it ended (None: it is killed)."""

    def write():
        with held(folder), open(folder / "events.jsonl", "ab", buffering=0) as file:
            going.set()
            for line in log.splitlines(keepends=True):
                file.write(line[:20])
                time.sleep(pause)
                file.write(line[20:])
            if ends:
                set_state(folder, ends)

    going = threading.Event()
    thread = threading.Thread(target=write)
    thread.start()
    going.wait()
    yield
    thread.join()


def contents(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.rglob("*"))}


def test_a_run_that_has_ended_is_shown_and_nothing_in_its_folder_changes(folders):
    before = contents(folders[0])
    done = call("watch", folders[0])
    assert done.exit_code == 0 and "wine  completed" in done.output and "accuracy" in done.output
    assert contents(folders[0]) == before
    failed = call("watch", folders[2])
    assert failed.exit_code == 1 and "failed" in failed.output


def test_a_running_run_is_followed_to_its_end_a_line_an_epoch(folders):
    log = as_running(folders[0])
    with written(folders[0], log):
        done = call("watch", folders[0], "--every", 0.05)
    assert done.exit_code == 0, done.output
    assert "run wine: 2 phases" in done.output and "phase test completed" in done.output
    assert "epoch 2 (3/3)" in done.output and "wine  completed" in done.output


def test_json_gives_every_event_as_it_was_logged_and_how_it_ended(folders):
    log = as_running(folders[0])
    with written(folders[0], log):
        done = call("watch", folders[0], "--every", 0.05, "--format", "json")
    *events, end = done.output.splitlines()
    assert [json.loads(line) for line in events] == [json.loads(line) for line in log.splitlines()]
    assert json.loads(end) == {"run": str(folders[0]), "status": "completed"}


def test_a_run_that_died_is_said_to_be_dead(folders):
    log = as_running(folders[0], pid=4711)
    with written(folders[0], b"".join(log.splitlines(keepends=True)[:6]), ends=None):
        done = call("watch", folders[0], "--every", 0.05)
    assert done.exit_code == 1
    assert f"the run is dead: process 4711 on {socket.gethostname()}" in done.output
    assert "runexp resume" in done.output and "wine  killed" in done.output


def test_a_run_on_another_machine_is_not_taken_for_dead(folders):
    """Nobody holds the lock as far as this machine can tell, but that says nothing of another one."""
    log = as_running(folders[0], host="elsewhere")
    (folders[0] / "events.jsonl").write_bytes(log)
    naps = []

    def sleep(seconds):
        naps.append(seconds)
        if len(naps) == 5:
            set_state(folders[0], "completed", host="elsewhere")

    events = [stamped for stamped in follow(folders[0], every_s=0.5, sleep=sleep) if stamped]
    assert len(events) == len(log.splitlines()) and len(naps) >= 5


def test_ctrl_c_leaves_cleanly_and_the_run_goes_on(folders):
    as_running(folders[0])
    with held(folders[0]):
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        done = call("watch", folders[0], "--every", 0.1)
    assert done.exit_code == 130 and "the run goes on" in done.output
    assert "Traceback" not in done.output


def test_half_a_line_waits_for_its_other_half(folders, tmp_path):
    events = list(read_events(folders[0] / "events.jsonl"))
    text = (folders[0] / "events.jsonl").read_bytes()
    log, seen = GrowingLog(tmp_path / "log"), []
    assert list(log.news()) == []  # there is none yet
    with open(tmp_path / "log", "wb", buffering=0) as file:
        for start in range(0, len(text), 337):
            file.write(text[start : start + 337])
            seen += log.news()
    assert seen == events and log.n_bad == 0


def test_a_log_that_was_cut_back_is_followed_from_there(folders, tmp_path):
    lines = (folders[0] / "events.jsonl").read_bytes().splitlines(keepends=True)
    path = tmp_path / "log"
    path.write_bytes(b"".join(lines[:8]) + b"no event\n")
    log = GrowingLog(path)
    assert [stamped.sequence for stamped in log.news()] == list(range(8)) and log.n_bad == 1
    path.write_bytes(b"".join(lines[:5]))
    assert list(log.news()) == []
    with open(path, "ab") as file:
        file.write(b"".join(lines[5:7]))
    assert [stamped.sequence for stamped in log.news()] == [5, 6]


def test_a_display_is_told_where_the_run_stands_by_its_events(folders):
    position = Position()
    for stamped in read_events(folders[0] / "events.jsonl"):
        position.at(stamped.time)
        position.note(stamped)
        assert position() == stamped.time
        if (position.live.phase, position.live.epoch) == ("train", 2) and position.live.latest():
            numbers = position.live.latest()
    assert "val_loss" in numbers and position.live.phase == "test"
    position.at(None)
    assert position() == pytest.approx(time.time(), abs=5)
