"""Runs as an engine would tell them: fit, train with validation and early stopping, test; and groups."""

from __future__ import annotations

from array import array
from math import exp

from runexp.events import (
    BatchesRecorded,
    CheckpointSaved,
    EpochFinished,
    EpochStarted,
    EvaluationFinished,
    Event,
    GroupFinished,
    GroupStarted,
    NodeFitted,
    PhaseFinished,
    PhaseStarted,
    RunFinished,
    RunStarted,
    StopRequested,
    WarningRaised,
    WeightsRestored,
)
from runexp.plan.values import FrozenMap

N_ROWS = array("q", [64] * 16 + [55])
REASON = "val_loss has not improved for 5 evaluations"


def batch_losses(epoch: int) -> array[float]:
    return array("d", [2.3 * exp(-epoch / 4) + 0.03 + 0.01 * (batch % 3) for batch in range(len(N_ROWS))])


def epoch_mean(epoch: int) -> float:
    losses = batch_losses(epoch)
    return sum(loss * rows for loss, rows in zip(losses, N_ROWS, strict=True)) / sum(N_ROWS)


def val_loss(epoch: int) -> float:
    return 2.1 * exp(-epoch / 4) + 0.07 + 0.15 * max(0, epoch - 12)


def train_events(label: str = "train", n_epochs: int = 18, planned: int = 30) -> list[Event]:
    events: list[Event] = [PhaseStarted(label, "train", "train", 1079, planned, 17, planned * 17, ("val_loss",))]
    for epoch in range(n_epochs):
        losses, step = batch_losses(epoch), (epoch + 1) * 17
        columns = {"loss": losses, "ce": losses, "lr": array("d", [3e-3]) * 17}
        measured = FrozenMap({"val_loss": val_loss(epoch), "val_accuracy": 0.98 - 0.8 * exp(-epoch / 3)})
        means = {"train_loss": epoch_mean(epoch), "train_ce": epoch_mean(epoch), "lr": 3e-3}
        events += [
            EpochStarted(label, epoch),
            BatchesRecorded(label, epoch, 0, N_ROWS, columns),
            EvaluationFinished(label, "validate", "val", epoch, step, measured),
            EpochFinished(label, epoch, step, FrozenMap({**means, **measured})),
        ]
    last = events[-1]
    assert isinstance(last, EpochFinished)
    n_steps = n_epochs * 17
    if n_epochs == planned:
        return [*events, PhaseFinished(label, "train", "completed", "", n_epochs, n_steps, last.metrics)]
    return [
        *events,
        CheckpointSaved(label, n_epochs - 1, n_steps, f"{label}/epoch_{n_epochs - 1:04}", False),
        StopRequested(label, n_epochs - 1, n_steps, "stop", REASON),
        WeightsRestored(label, "stop", 12, "val_loss", val_loss(12)),
        PhaseFinished(label, "train", "stopped", "stop", n_epochs, n_steps, last.metrics),
    ]


def eval_events(label: str = "test") -> list[Event]:
    numbers = FrozenMap({"loss": 0.1234, "ce": 0.1234, "accuracy": 0.975, "f1_macro": 0.9744})
    return [
        PhaseStarted(label, "eval", "test", 359, 0, 1, 1),
        PhaseFinished(label, "eval", "completed", "", 0, 1, numbers),
    ]


def fit_events(label: str = "reduce") -> list[Event]:
    return [
        PhaseStarted(label, "fit", "train", 1079, 0, 1, 1),
        NodeFitted(label, "pca", 1079),
        PhaseFinished(label, "fit", "completed", "", 0, 1, FrozenMap()),
    ]


def digits_run() -> list[Event]:
    return [
        RunStarted("digits-hybrid", 7, "0f3a", "cpu", ("reduce", "train", "test")),
        *fit_events(),
        *train_events(),
        WarningRaised("", "the split `val` is smaller than one batch"),
        *eval_events(),
        RunFinished("completed"),
    ]


def grouped_run() -> list[Event]:
    return [
        RunStarted("two-step", 7, "0f3a", "cpu", ("warm/train", "warm/inner/test", "test")),
        GroupStarted("warm"),
        *train_events("warm/train", 3, 3),
        GroupStarted("warm/inner"),
        *eval_events("warm/inner/test"),
        GroupFinished("warm/inner"),
        GroupFinished("warm"),
        *eval_events(),
        RunFinished("completed"),
    ]
