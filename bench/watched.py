"""A training as people run it: judged after every epoch by early stopping, with progress and everything on file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor
from torch.nn import functional

from bench.loops import Job, model_of, spec_of
from runexp.api.checking import check
from runexp.engine.experiment import Experiment
from runexp.engine.live import Live
from runexp.observe.event_log import EventLog
from runexp.observe.metrics_table import MetricsTable
from runexp.observe.pump import pump
from runexp.observe.rich_progress import RichProgress
from runexp.runtime.torch_runtime import TorchRuntime

N_EPOCHS = 4
_WIDE = 512

Train = Callable[[], object]


def watched(job: Job, features: Tensor, labels: Tensor, folder: Path, rounds: int) -> dict[str, list[float]]:
    """CPU seconds of `N_EPOCHS` epochs by hand and by runexp, in turn; what is made ready beforehand does not count."""
    ways: dict[str, Callable[[int], Train]] = {
        "by hand, with evaluation and the best weights kept": lambda number: _by_hand(job, features, labels),
        "runexp, with evaluation, early stopping, progress, files": lambda number: _by_runexp(job, folder, number),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in list(ways) if number % 2 else reversed(ways):
            train = ways[name](number)
            start = time.process_time()
            train()
            if number:
                seconds[name].append(time.process_time() - start)
    return seconds


def _by_hand(job: Job, features: Tensor, labels: Tensor) -> Train:
    """Four fifths of the rows train; the rest are judged after every epoch, and the best weights kept."""
    model, optimizer, loss_of = model_of(job)
    n_train = len(features) * 4 // 5
    x_val, y_val = features[n_train:], labels[n_train:]

    def train() -> None:
        best, kept, total = float("inf"), model.state_dict(), 0.0
        for _ in range(N_EPOCHS):
            for x, y in _batches(features[:n_train], labels[:n_train], job.batch):
                loss = loss_of(model(x), y)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                total += loss.item()
            with torch.no_grad():
                given = model(x_val)
                value, hits = functional.cross_entropy(given, y_val).item(), (given.argmax(1) == y_val).sum().item()
            if value < best and hits:
                best, kept = value, {name: one.clone() for name, one in model.state_dict().items()}
        model.load_state_dict(kept)

    return train


def _batches(features: Tensor, labels: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Gathered in whichever way is the faster: an epoch at once, wide batches one by one."""
    order = torch.randperm(len(features))
    if size > _WIDE:
        return ((features[rows], labels[rows]) for rows in order.split(size))
    return zip(features[order].split(size), labels[order].split(size), strict=True)


def _by_runexp(job: Job, folder: Path, number: int) -> Train:
    (folder / "watched.yaml").write_text(_spec(job), encoding="utf-8")
    plan = check(folder / "watched.yaml").require().plan
    live, files = Live(), folder / f"run-{number}"
    files.mkdir()
    experiment = Experiment(plan, TorchRuntime(plan, folder=folder), live=live)
    console = Console(file=StringIO(), force_terminal=True, width=100)
    sinks = [EventLog(files / "events.jsonl"), MetricsTable(files), RichProgress(live, console)]

    def train() -> None:
        if pump(experiment.run(), sinks).status != "completed":
            raise RuntimeError("the run did not complete")

    return train


def _spec(job: Job) -> str:
    """The spec of the job with a fifth of its rows judged after every epoch."""
    text = spec_of(job).replace(
        "targets: {label: label}", "targets: {label: label}\n    splits: {train: 0.8, val: 0.2}"
    )
    text = text.replace("split: all", "split: train, callbacks: [validate, stop]").replace("100000", str(N_EPOCHS))
    callbacks = [
        "callbacks:",
        "  validate: {use: evaluation, split: val, metrics: [accuracy]}",
        "  stop: {use: early_stopping, monitor: val_loss, patience: 5, restore_best: true}",
    ]
    return text + "\n".join(callbacks) + "\n"
