"""The status follows the run, without hindering it."""

from __future__ import annotations

from observe.cases import Clock, Recorder, short_run
from runexp.events import RunFinished
from runexp.observe.pump import pump
from runexp.observe.status_sink import StatusSink


class Updates:
    """Keeps every update; fails at those whose index is in `failing`."""

    def __init__(self, failing=()):
        self.failing = failing
        self.n_asked = 0
        self.given = []

    def __call__(self, state, **position):
        self.n_asked += 1
        if self.n_asked - 1 in self.failing:
            raise OSError("disk full")
        self.given.append((state, position["phase"], position["epoch"], position["step"]))
        self.last = (state, position["error"], position["where"])


def test_the_status_is_given_at_phase_starts_epoch_ends_and_the_end():
    updates = Updates()
    pump(short_run(), [StatusSink(updates)], clock=Clock(step=1.0))
    assert updates.given == [
        ("running", "", None, 0),
        ("running", "train", None, 0),
        ("running", "train", 0, 4),
        ("running", "train", 1, 8),
        ("running", "train", 2, 12),
        ("running", "test", None, 0),
        ("completed", "test", None, 0),
    ]


def test_fast_epochs_are_given_once_a_second():
    updates = Updates()
    pump(short_run(n_epochs=100), [StatusSink(updates)], clock=Clock(step=0.02))  # ten seconds
    epochs = [epoch for _, _, epoch, _ in updates.given if epoch is not None]
    assert 9 <= len(epochs) <= 10


def test_the_last_status_says_what_happened_and_where():
    updates = Updates()
    pump(iter([RunFinished("failed", "loss is nan", "train")]), [StatusSink(updates)])
    assert updates.last == ("failed", "loss is nan", "train")


def test_one_that_cannot_be_written_is_made_good_by_the_next():
    updates, log = Updates(failing=[2]), Recorder()
    pump(short_run(), [StatusSink(updates), log], clock=Clock(step=1.0))
    assert updates.given[-1][0] == "completed"
    assert log.events == list(short_run())


def test_a_last_status_that_cannot_be_written_is_said_aloud():
    alarms = []
    pump(short_run(), [StatusSink(Updates(failing=range(99)))], alarm=alarms.append)
    assert alarms == ["StatusSink failed, the run goes on without it: OSError: disk full"]
