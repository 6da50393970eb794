"""The event log is the record of the run, whatever cuts it short."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observe.cases import Clock, Recorder, short_run
from runexp.events import EpochFinished, EpochStarted, RunFinished, RunStarted, WarningRaised
from runexp.observe.event_log import EventLog, encode, read_events
from runexp.observe.pump import pump
from runexp.observe.sink import Stamped
from runexp.plan.values import FrozenMap

ROOT = Path(__file__).resolve().parents[2]


def log_of(path, events, clock=None):
    recorder = Recorder()
    pump(iter(events), [EventLog(path), recorder], clock=clock or Clock(step=0.25))
    return recorder.received


def run_python(code, *args, **more):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, args)], env=environment, text=True, **more)


def test_a_log_reads_back_as_the_events_it_was_given(tmp_path):
    given_events = log_of(tmp_path / "events.jsonl", short_run())
    assert list(read_events(tmp_path / "events.jsonl")) == given_events


def test_a_line_is_json_with_number_time_and_kind(tmp_path):
    log_of(tmp_path / "events.jsonl", short_run(), Clock(now=1_700_000_000.1234))
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    first, batches = json.loads(lines[0]), json.loads(lines[3])
    assert (first["seq"], first["time"], first["event"]) == (0, "2023-11-14T22:13:20.123Z", "RunStarted")
    assert batches["columns"]["loss"] == [1.0, 0.5, 1 / 3, 0.25]
    assert batches["n_rows"] == [32] * 4


def test_numbers_that_are_not_finite_stay_valid_json_and_read_back(tmp_path):
    metrics = FrozenMap({"a": math.nan, "b": math.inf, "c": -math.inf})
    log_of(tmp_path / "events.jsonl", [EpochFinished("t", 0, 1, metrics), RunFinished("completed")])
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert json.loads(lines[0], parse_constant=pytest.fail)["metrics"]["a"] == "NaN"
    read = next(read_events(tmp_path / "events.jsonl")).event.metrics
    assert math.isnan(read["a"])
    assert (read["b"], read["c"]) == (math.inf, -math.inf)


@given(st.data())
def test_a_log_torn_anywhere_reads_up_to_its_last_whole_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("torn") / "events.jsonl"
    lines = [encode(Stamped(index, 1e9 + index, event)) for index, event in enumerate(short_run())]
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    assert len(list(read_events(path))) == whole[:cut].count(b"\n")


def test_a_last_line_of_zeros_as_a_power_cut_leaves_it_is_passed_over(tmp_path):
    path = tmp_path / "events.jsonl"
    n_events = len(log_of(path, short_run()))
    with open(path, "ab") as file:
        file.write(b"\0" * 100)
    assert len(list(read_events(path))) == n_events


@pytest.mark.parametrize("bad", [b"garbage\n", b'{"event": "RunStarted"}\n', b"[]\n", b'{"event": "Nope"}\n'])
def test_a_bad_line_in_the_middle_is_named(tmp_path, bad):
    path = tmp_path / "events.jsonl"
    log_of(path, short_run())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], bad, *lines[4:]]))
    with pytest.raises(ValueError, match=r"events\.jsonl:5"):
        list(read_events(path))


def test_epoch_ends_are_on_disk_at_once_and_the_rest_within_two_seconds(tmp_path):
    path = tmp_path / "events.jsonl"
    log = EventLog(path)

    def on_disk(sequence, time, event):
        log.receive(Stamped(sequence, time, event))
        return len(list(read_events(path)))

    assert on_disk(0, 100.0, RunStarted("r", 0, "", "cpu", ())) == 1
    assert on_disk(1, 101.0, EpochStarted("t", 0)) == 1
    assert on_disk(2, 102.1, EpochStarted("t", 0)) == 3
    assert on_disk(3, 102.2, EpochFinished("t", 0, 1, FrozenMap())) == 4
    log.receive(Stamped(4, 102.3, EpochStarted("t", 1)))
    log.close()
    assert len(list(read_events(path))) == 5


def test_an_existing_log_is_never_overwritten(tmp_path):
    (tmp_path / "events.jsonl").write_text("precious")
    with pytest.raises(FileExistsError):
        EventLog(tmp_path / "events.jsonl")
    assert (tmp_path / "events.jsonl").read_text() == "precious"


ENDLESS = """
import sys
from pathlib import Path
from observe.cases import epoch_of
from runexp.observe.event_log import EventLog
from runexp.observe.pump import pump

def engine():
    epoch = 0
    while True:
        yield from epoch_of("train", epoch, n_batches=200)
        epoch += 1
        if epoch == 20:
            print("going", flush=True)

pump(engine(), [EventLog(Path(sys.argv[1]))])
"""


def test_a_killed_run_leaves_a_log_that_is_valid_up_to_its_last_whole_line(tmp_path):
    path = tmp_path / "events.jsonl"
    process = run_python(ENDLESS, path, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "going\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    events = list(read_events(path))
    assert [stamped.sequence for stamped in events] == list(range(len(events)))
    assert len(events) >= 20 * 5


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from observe.cases import Clock, short_run
from runexp.observe.event_log import EventLog
from runexp.observe.pump import pump

def engine(spare_at):
    for index, event in enumerate(short_run()):
        if index == spare_at:
            limit(resource.RLIM_INFINITY)
        yield event

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit(700)
log = EventLog(Path(sys.argv[1]))
print(pump(engine(int(sys.argv[2])), [log], clock=Clock(step=float(sys.argv[3]))).status)
"""


def full_disk(path, spare_at, step):
    process = run_python(FULL_DISK, path, spare_at, step, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return process.communicate(timeout=30)


def test_a_disk_that_is_full_for_a_while_costs_no_line(tmp_path):
    path = tmp_path / "events.jsonl"
    assert full_disk(path, spare_at=10, step=0.5) == ("completed\n", "")
    assert [stamped.event for stamped in read_events(path)] == list(short_run())


@pytest.mark.parametrize("step", [pytest.param(0.5, id="until the end"), pytest.param(40.0, id="for a minute")])
def test_a_disk_that_stays_full_ends_the_record_loudly_and_not_the_run(tmp_path, step):
    path = tmp_path / "events.jsonl"
    out, err = full_disk(path, spare_at=999, step=step)
    assert out == "completed\n"
    assert err.count("warning: EventLog failed, the run goes on without it: OSError") == 1
    read = [stamped.event for stamped in read_events(path)]
    assert read == list(islice(short_run(), len(read)))
    assert not any(isinstance(event, WarningRaised) for event in read)
