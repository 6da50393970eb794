"""`runexp watch` of a sweep and of a cross-validation: trials and folds as they run, from their folders alone."""

from __future__ import annotations

import fcntl
import io
import json
import os
import shutil
import signal
import socket
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest
from rich.console import Console

from report_html.sweeps import one_objective, write_sweep
from run_store.conftest import call
from runexp.api.stored_sweep import as_they_stand
from runexp.api.watching import follow_folds
from runexp.events import (
    EpochFinished,
    FoldFinished,
    FoldStarted,
    PhaseFinished,
    PhaseStarted,
    RunFinished,
    WarningRaised,
)
from runexp.observe.event_log import encode
from runexp.observe.fold_watching import LiveFolds, PlainFolds
from runexp.observe.sink import Stamped
from runexp.plan.values import FrozenMap
from runexp.results.trials import SweepResults


@contextmanager
def held(folder):
    """The lock of a run, as its process holds it."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def set_state(folder, state):
    times = {"started": "2026-01-01T00:00:00.000Z", "ended": None, "error": None}
    status = {"state": state, "position": {"phase": "train", "epoch": 4, "step": 9}, "pid": 1} | times
    (folder / "aside").write_text(json.dumps(status | {"host": socket.gethostname()}))
    (folder / "aside").replace(folder / "status.json")


def write_results(folder, results):
    body = {"version": 1, "n_trials": 6, "results": results.as_json()}
    (folder / "aside").write_text(json.dumps(body))
    (folder / "aside").replace(folder / "sweep.json")


def begin_trial(folder, trial):
    """A trial that runs: its folder says which one it is."""
    path = folder / "trials" / trial.id
    path.mkdir(parents=True)
    told = {"sweep": "s", "trial": trial.number, "changes": dict(trial.changes)}
    (path / "trial.json").write_text(json.dumps(told))
    set_state(path, "running")
    epoch = Stamped(0, 0.0, EpochFinished("train", 4, 9, FrozenMap({"val_loss": 0.25})))
    (path / "events.jsonl").write_bytes(encode(epoch))


@pytest.fixture
def sweep(tmp_path):
    """A sweep that has just begun."""
    results = one_objective()
    folder = write_sweep(tmp_path / "net" / "sweep-1", results)
    write_results(folder, SweepResults("net", "running", results.objectives, ()))
    set_state(folder, "running")
    return folder


def test_a_trial_that_runs_is_told_with_where_it_stands_and_its_newest_numbers(sweep):
    begin_trial(sweep, one_objective().trials[0])
    with held(sweep):
        results, n_trials = as_they_stand(sweep)
    (trial,) = results.trials
    assert (results.status, n_trials) == ("running", 6)
    assert (trial.number, trial.status, trial.place) == (0, "running", "train 5")
    assert trial.metrics == {"train.val_loss": 0.25} and trial.changes["vars.lr"] == 1e-4


def test_new_trials_appear_as_they_end_a_line_each_and_the_table_stands_at_the_end(sweep):
    whole = one_objective()

    def go_on():
        for n_ended in range(1, 7):
            write_results(sweep, replace(whole, status="running", trials=whole.trials[:n_ended]))
        write_results(sweep, whole)
        set_state(sweep, "completed")

    with held(sweep):
        thread = threading.Timer(0.2, go_on)
        thread.start()
        done = call("watch", sweep, "--every", 0.05)
        thread.join()
    assert done.exit_code == 0, done.output
    assert "6 trials; they go to" in done.output
    lines = [line for line in done.output.splitlines() if line.startswith("trial ")]
    assert [line.split()[1] for line in lines[:6]] == ["0", "1", "2", "3", "4", "5"]
    assert "best  trial 2" in done.output and "\x1b" not in done.output


def test_json_is_a_line_each_time_that_a_trial_changes(sweep):
    set_state(sweep, "completed")
    write_results(sweep, one_objective())
    *trials, end = call("watch", sweep, "--format", "json").output.splitlines()
    assert [json.loads(line)["status"] for line in trials] == ["completed"] * 4 + ["pruned", "failed"]
    assert json.loads(end) == {"sweep": str(sweep), "status": "completed"}


def test_a_sweep_whose_process_died_is_said_to_be_dead(sweep):
    write_results(sweep, replace(one_objective(), status="running"))
    done = call("watch", sweep)
    assert done.exit_code == 1 and "nobody runs these trials any more" in done.output


def test_ctrl_c_leaves_cleanly_and_the_trials_go_on(sweep):
    with held(sweep):
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        done = call("watch", sweep, "--every", 0.1)
    assert done.exit_code == 130 and "the trials go on" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_what_is_no_run_is_refused(what, tmp_path):
    (tmp_path / "empty").mkdir()
    done = call("watch", tmp_path / what, "--runs", tmp_path)
    assert done.exit_code == 2 and "error: " in done.output and "Traceback" not in done.output


def fold_events(index, n_epochs):
    label = f"fold-{index}"
    yield FoldStarted(index, label, "", 2, 80, 20)
    yield PhaseStarted(f"{label}/train", "train", "train", 80, 9, 1, 9)
    for epoch in range(n_epochs):
        yield EpochFinished(f"{label}/train", epoch, epoch + 1, FrozenMap({"val_loss": 1.0 / (epoch + 1)}))


def end_of(index):
    label = f"fold-{index}"
    yield PhaseFinished(f"{label}/test", "eval", "completed", "", 0, 0, FrozenMap({"accuracy": 0.75}))
    yield FoldFinished(index, label, "completed")


def stamped(events):
    return [Stamped(number, 3.0 * number, event) for number, event in enumerate(events)]


def write_log(path, events):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(map(encode, stamped(events))))


def test_folds_that_run_at_once_are_all_followed_and_none_is_lost_at_the_end(tmp_path):
    """The second fold ends with the run, whose folder then has the whole log and no logs of folds any more."""
    set_state(tmp_path, "running")
    logs = [tmp_path / f"progress/fold-{index}/events.jsonl" for index in range(2)]
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 1:
            write_log(logs[1], fold_events(1, 1))
            write_log(logs[0], [*fold_events(0, 2), *end_of(0)])
        elif len(looks) == 2:
            whole = [*fold_events(0, 2), *end_of(0), *fold_events(1, 2), *end_of(1), RunFinished("completed")]
            write_log(tmp_path / "events.jsonl", whole)
            shutil.rmtree(tmp_path / "progress")
            set_state(tmp_path, "completed")

    write_log(logs[0], fold_events(0, 2))
    with held(tmp_path):
        told = [one.event for one in follow_folds(tmp_path, every_s=1.0, sleep=sleep) if one is not None]
    started = [event.fold for event in told if isinstance(event, FoldStarted)]
    assert started == [0, 1]
    assert [event.fold for event in told if isinstance(event, FoldFinished)] == [0, 1]
    assert told.index(next(end_of(0))) > told.index(EpochFinished("fold-0/train", 1, 2, FrozenMap({"val_loss": 0.5})))


def test_in_a_pipe_each_fold_has_its_lines(tmp_path):
    stream = io.StringIO()
    shown = PlainFolds(stream)
    failed = FoldFinished(1, "fold-1", "failed", "RuntimeError: no", "fold-1/train")
    for one in stamped([*fold_events(0, 2), *end_of(0), *fold_events(1, 1), failed]):
        shown.receive(one)
    assert stream.getvalue().splitlines() == [
        "fold 0 of 2: 80 rows to learn from, 20 held out",
        "fold-0  train 1/9  val_loss 1",
        "fold-0  train 2/9  val_loss 0.5",
        "fold-0 completed  accuracy 0.75",
        "fold 1 of 2: 80 rows to learn from, 20 held out",
        "fold-1  train 1/9  val_loss 1",
        "fold 1 failed in phase fold-1/train: RuntimeError: no",
    ]


@pytest.mark.parametrize("columns", [40, 100])
def test_on_a_terminal_a_table_has_a_row_for_each_fold(columns):
    stream = io.StringIO()
    console = Console(file=stream, width=columns, height=20, force_terminal=True, no_color=True)
    shown = LiveFolds(console)
    for one in stamped([*fold_events(0, 2), *end_of(0), *fold_events(1, 1), WarningRaised("fold-1/train", "hm")]):
        shown.receive(one)
    plain = Console(file=io.StringIO(), width=columns)
    plain.print(shown.draw())
    shown.close()
    lines = plain.file.getvalue().splitlines()
    assert len(lines) == 3 and lines[0].split() == ["folds", "1/2"]
    assert lines[1].split()[:2] == ["fold-0", "completed"] and lines[2].split()[:3] == ["fold-1", "train", "1/9"]
    assert all(len(line) <= columns for line in lines)
    assert "warning in phase fold-1/train: hm" in stream.getvalue()
