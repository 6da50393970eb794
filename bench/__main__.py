"""`python -m bench [--rounds N]`: a table of medians and ratios, then start-up times."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pyarrow as pa
import torch
from pyarrow import parquet
from rich.console import Console
from rich.table import Table

from bench import char_transformer
from bench.loops import JOBS, Job, by_gather, by_hand, by_loader, by_runexp, measure, table_of
from bench.startup import start_up
from bench.watched import N_EPOCHS, watched

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Run every benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="epochs measured for each way")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    console = Console(width=100)
    for job in JOBS:
        console.print(_steps(job, rounds))
        console.print(_watched(job, rounds))
    console.print(_language(rounds))
    console.print(start_up(5))


def _steps(job: Job, rounds: int) -> Table:
    with _table(job) as (features, labels, folder):
        ways = {
            "by hand, a gather an epoch": by_hand(job, features, labels),
            "by hand, a gather a batch": by_gather(job, features, labels),
            "DataLoader loop": by_loader(job, features, labels),
            "runexp": by_runexp(job, folder),
        }
        seconds = measure(ways, rounds)
    return _ratios(f"{job.name}, batch {job.batch}, CPU, 1 thread", seconds, -(-job.n_rows // job.batch))


def _watched(job: Job, rounds: int) -> Table:
    with _table(job) as (features, labels, folder):
        seconds = watched(job, features, labels, folder, rounds)
    n_steps = N_EPOCHS * -(-(job.n_rows * 4 // 5) // job.batch)
    return _ratios(f"{job.name}, as people run it: {N_EPOCHS} epochs", seconds, n_steps)


@contextmanager
def _table(job: Job) -> Iterator[tuple[torch.Tensor, torch.Tensor, Path]]:
    """The rows of a job, and the folder in which they lie as table.parquet."""
    features, labels = table_of(job)
    with tempfile.TemporaryDirectory() as name:
        columns = {f"x{index:03d}": features[:, index].numpy() for index in range(job.n_columns)}
        parquet.write_table(pa.table({**columns, "label": labels.numpy()}), Path(name) / "table.parquet")
        yield features, labels, Path(name)


def _language(rounds: int) -> Table:
    with tempfile.TemporaryDirectory() as name:
        seconds = measure(char_transformer.ways(Path(name)), rounds)
    return _ratios("character transformer 4 x 128, batch 12 x 64, CPU, 1 thread", seconds, char_transformer.N_STEPS)


def _ratios(title: str, seconds: dict[str, list[float]], n_steps: int) -> Table:
    """Each way against the best loop by hand in the same round: what disturbs a machine disturbs both."""
    best = min((name for name in seconds if name.startswith("by hand")), key=lambda name: median(seconds[name]))
    table = Table("way", "us a step", "ratio to the best by hand", title=title)
    for name, measured in seconds.items():
        ratio = median(one / other for one, other in zip(measured, seconds[best], strict=True))
        table.add_row(name, f"{median(measured) / n_steps * 1e6:.1f}", f"{ratio:.3f}")
    return table


if __name__ == "__main__":
    main()
