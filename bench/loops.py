"""One small training job, three ways: runexp, the best loop written by hand, and the usual DataLoader loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from runexp.api.checking import check
from runexp.engine.experiment import Experiment
from runexp.events import EpochFinished
from runexp.runtime.torch_runtime import TorchRuntime


@dataclass(frozen=True)
class Job:
    """A table of `n_rows` by `n_columns` with `n_classes`, an MLP of `widths`, batches of `batch`."""

    name: str
    n_rows: int
    n_columns: int
    n_classes: int
    widths: tuple[int, ...]
    batch: int
    lr: float = 1e-3


JOBS = (
    Job("small table, MLP 64-64", 20_000, 32, 4, (64, 64), 64),
    Job("wide MLP 512-512", 20_000, 128, 10, (512, 512), 1024),
)

Epoch = Callable[[int], None]


def by_runexp(job: Job, folder: Path) -> Epoch:
    """The interpreter itself, as `runexp run` drives it: from one end of an epoch to the next."""
    path = folder / "spec.yaml"
    path.write_text(spec_of(job), encoding="utf-8")
    plan = check(path).require().plan
    events = Experiment(plan, TorchRuntime(plan, folder=folder)).run()

    def epoch(number: int) -> None:
        next(event for event in events if isinstance(event, EpochFinished))

    return epoch


def by_hand(job: Job, features: torch.Tensor, labels: torch.Tensor) -> Epoch:
    """One permutation and one gather an epoch, slices as batches, the fused optimizer, one read of the loss a step."""
    model, optimizer, loss_of = model_of(job)

    def epoch(number: int) -> None:
        order = torch.randperm(len(features))
        rows, targets = features[order].split(job.batch), labels[order].split(job.batch)
        total = 0.0
        for x, y in zip(rows, targets, strict=True):
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            total += loss.item()

    return epoch


def by_gather(job: Job, features: torch.Tensor, labels: torch.Tensor) -> Epoch:
    """The same with a gather a batch, which wins where batches are wide."""
    model, optimizer, loss_of = model_of(job)

    def epoch(number: int) -> None:
        total = 0.0
        for rows in torch.randperm(len(features)).split(job.batch):
            loss = loss_of(model(features[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            total += loss.item()

    return epoch


def by_loader(job: Job, features: torch.Tensor, labels: torch.Tensor) -> Epoch:
    """The usual loop: a DataLoader over a TensorDataset, in this process."""
    model, optimizer, loss_of = model_of(job)
    loader = DataLoader(TensorDataset(features, labels), batch_size=job.batch, shuffle=True)

    def epoch(number: int) -> None:
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()

    return epoch


def measure(epochs: dict[str, Epoch], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each way's epochs, in turn, every other round backwards; the first round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for number in range(rounds + 1):
        for name in list(epochs) if number % 2 else reversed(epochs):
            start = time.process_time()
            epochs[name](number)
            if number:
                seconds[name].append(time.process_time() - start)
    return seconds


def table_of(job: Job) -> tuple[torch.Tensor, torch.Tensor]:
    """A seeded table with labels that a linear map of the features gives."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(job.n_rows, job.n_columns, generator=generator)
    labels = (features @ torch.randn(job.n_columns, job.n_classes, generator=generator)).argmax(1)
    return features, labels


def spec_of(job: Job) -> str:
    """The job as a spec; its table lies beside it as table.parquet."""
    layers = ", ".join(f"{{torch.nn.Linear: {{out_features: {width}}}}}, torch.nn.ReLU" for width in job.widths)
    return f"""\
runexp: 1
name: bench
data:
  table:
    source: table.parquet
    features: {{x: x*}}
    targets: {{label: label}}
nodes:
  net: {{inputs: table.x, layers: [{layers}, {{torch.nn.Linear: {{out_features: {job.n_classes}}}}}]}}
losses: {{ce: {{node: net, use: cross_entropy}}}}
phases:
  train: {{kind: train, split: all, batches: {{size: {job.batch}}}, epochs: 100000, losses: [ce],
          optimizer: {{use: adam, with: {{lr: {job.lr}}}}}}}
"""


def model_of(job: Job) -> tuple[nn.Module, torch.optim.Optimizer, nn.Module]:
    """The network of a job, the fused Adam and the loss."""
    sizes = (job.n_columns, *job.widths)
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(sizes[-1], job.n_classes))
    return model, torch.optim.Adam(model.parameters(), lr=job.lr, fused=True), nn.CrossEntropyLoss()
