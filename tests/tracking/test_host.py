"""A tracker that fails or hangs never holds up a run, and is told again what it did not take."""

import threading
import time
from array import array
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runexp.events import BatchesRecorded, EpochFinished, PhaseFinished, PhaseStarted
from runexp.observe.sink import Stamped
from runexp.observe.tracking.host import Limits, TrackerHost
from runexp.observe.tracking.points import Plotter
from runexp.observe.tracking.tracker import TrackedRun
from runexp.plan.values import FrozenMap
from tracking.cases import Notebook

RUN = TrackedRun("digits", "1", Path())


def _host(tracker, **limits):
    return TrackerHost("Notebook", lambda: tracker, RUN, per_batch=True, limits=Limits(pause_s=60, **limits))


def _epoch(number, *, n_batches=2, phase="train"):
    batches = BatchesRecorded(phase, number, 0, array("q", [8] * n_batches), {"loss": array("d", [1.0] * n_batches)})
    finished = EpochFinished(phase, number, (number + 1) * n_batches, FrozenMap({"train_loss": 0.5}))
    return [Stamped(2 * number, 100.0 + number, batches), Stamped(2 * number + 1, 100.0 + number, finished)]


def _receive(host, *epochs):
    for epoch in epochs:
        for stamped in _epoch(epoch):
            host.receive(stamped)


def test_a_tracker_is_told_everything_in_order():
    tracker = Notebook()
    host = _host(tracker)
    _receive(host, 0, 1)
    host.keep(Path("summary.json"), "summary.json")
    host.finish("completed")
    assert [kind for kind, _ in tracker.calls] == ["start", "log", "keep", "finish"]
    steps = [(point.name, point.step) for point in tracker.points if point.name == "train/train_loss"]
    assert steps == [("train/train_loss", 2), ("train/train_loss", 4)]
    assert [point.step for point in tracker.points if point.name == "train/batch/loss"] == [1, 2, 3, 4]
    assert host.problem == ""


def test_what_a_tracker_refuses_is_told_again_at_the_end():
    tracker = Notebook()
    tracker.refuses = True
    host = _host(tracker)
    _receive(host, 0)
    host.settle()
    told = host.warnings()
    assert [event.message for event in told] == [
        "Notebook does not take the numbers, the run goes on: ConnectionError: the server is away"
    ]
    assert host.warnings() == []  # once
    tracker.refuses = False
    _receive(host, 1)
    host.finish("completed")
    assert host.problem == ""
    assert [point.step for point in tracker.points if point.name == "train/train_loss"] == [2, 4]
    assert tracker.calls[-1] == ("finish", "completed")


def test_a_tracker_that_always_refuses_has_a_problem_at_the_end():
    tracker = Notebook()
    tracker.refuses = True
    host = _host(tracker)
    _receive(host, 0)
    host.finish("completed")
    assert host.problem == "ConnectionError: the server is away"
    assert tracker.calls == []


def test_a_tracker_that_hangs_is_given_up_after_its_time():
    never = threading.Event()

    class Hanging(Notebook):
        def log(self, points):
            never.wait()

    host = _host(Hanging(), call_s=0.2)
    _receive(host, 0)
    begun = time.monotonic()
    host.settle()
    host.finish("completed")
    assert time.monotonic() - begun < 5
    assert host.problem == "it did not answer in 0.2 seconds"
    never.set()


def test_an_interrupted_run_waits_two_seconds_at_most():
    never = threading.Event()

    class Hanging(Notebook):
        def start(self, run):
            never.wait()

    host = _host(Hanging(), is_hurried=lambda: True)
    begun = time.monotonic()
    host.finish("interrupted")
    assert time.monotonic() - begun < 4
    never.set()


def test_a_library_that_cannot_be_imported_is_a_problem_and_no_end():
    def make():
        raise ImportError("no library")

    host = TrackerHost("Gone", make, RUN, per_batch=False)
    _receive(host, 0)
    host.finish("completed")
    assert host.problem == "ImportError: no library"


def test_a_run_that_goes_on_repeats_no_point():
    tracker = Notebook({"train/train_loss": 2, "train/batch/loss": 2, "train/epoch": 2})
    host = _host(tracker)
    _receive(host, 0, 1)
    host.finish("completed")
    assert {point.step for point in tracker.points} == {3, 4}


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.lists(st.integers(0, 5), min_size=1, max_size=4)),
        max_size=5,
        unique_by=lambda phase: phase[0],
    )
)
def test_steps_of_a_name_only_grow(phases):
    plotter = Plotter(per_batch=True)
    last: dict[str, int] = {}
    for label, epochs in phases:
        events = [PhaseStarted(label, "train", "train", 8, len(epochs), 2, 4)]
        for epoch, n_batches in enumerate(epochs):
            events += [stamped.event for stamped in _epoch(epoch, n_batches=n_batches, phase=label)]
        events.append(PhaseFinished(label, "train", "completed", "", len(epochs), 4, FrozenMap({"train_loss": 1.0})))
        for event in events:
            for point in plotter.points(Stamped(0, 0.0, event)):
                assert point.step > last.get(point.path, -1)
                last[point.path] = point.step
