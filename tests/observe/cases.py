"""A short run, a clock that goes where it is told, and a sink that remembers."""

from __future__ import annotations

from array import array

from runexp.events import (
    BatchesRecorded,
    CheckpointSaved,
    EpochFinished,
    EpochStarted,
    EvaluationFinished,
    PhaseFinished,
    PhaseStarted,
    RunFinished,
    RunStarted,
    StopRequested,
    WeightsRestored,
)
from runexp.plan.values import FrozenMap


class Clock:
    """Tells the time it was set to, and goes on by `step` each time it is asked."""

    def __init__(self, now=1_700_000_000.0, step=0.0):
        self.now = now
        self.step = step

    def __call__(self):
        self.now += self.step
        return self.now


def epoch_of(phase, epoch, n_batches=4):
    losses = array("d", [1 / (1 + epoch * n_batches + batch) for batch in range(n_batches)])
    yield EpochStarted(phase, epoch)
    rates = array("d", [0.003]) * n_batches
    yield BatchesRecorded(phase, epoch, 0, array("q", [32]) * n_batches, {"loss": losses, "lr": rates})
    val_loss = FrozenMap({"val_loss": 0.5 / (epoch + 1)})
    yield EvaluationFinished(phase, "val", "val", epoch, (epoch + 1) * n_batches, val_loss)
    numbers = FrozenMap({"train_loss": 1 / (epoch + 1), "lr": 0.003, **val_loss})
    yield EpochFinished(phase, epoch, (epoch + 1) * n_batches, numbers)
    yield CheckpointSaved(phase, epoch, (epoch + 1) * n_batches, f"{phase}/epoch-{epoch:04}", is_best=True)


def short_run(n_epochs=3):
    """A train phase that is stopped, and a test."""
    yield RunStarted("digits", 7, "0" * 64, "cpu", ("train", "test"))
    yield PhaseStarted("train", "train", "train", 128, 30, 4, 120, monitored=("val_loss",))
    for epoch in range(n_epochs):
        yield from epoch_of("train", epoch)
    yield StopRequested("train", n_epochs - 1, n_epochs * 4, "early", "val_loss no better for 5 evaluations")
    yield WeightsRestored("train", "early", 1, "val_loss", 0.25)
    final = FrozenMap({"train_loss": 1 / n_epochs, "val_loss": 0.25})
    yield PhaseFinished("train", "train", "stopped", "early", n_epochs, n_epochs * 4, final)
    yield PhaseStarted("test", "eval", "test", 360, 0, 1, 0)
    yield PhaseFinished("test", "eval", "completed", "", 0, 0, FrozenMap({"test_loss": 0.31, "test_acc": 0.97}))
    yield RunFinished("completed")


class Recorder:
    """A sink that keeps what it receives."""

    def __init__(self, wants=frozenset()):
        self.wants = wants
        self.received = []
        self.n_closed = 0

    @property
    def events(self):
        return [stamped.event for stamped in self.received]

    def receive(self, stamped):
        self.received.append(stamped)

    def close(self):
        self.n_closed += 1
