"""`python -m bench.data [--rows N] [--folder F]`: an epoch of batches from Parquet, held and streamed.

Every way runs in a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import torch
from pyarrow import parquet
from rich.console import Console
from rich.table import Table

from runexp.api.checking import check
from runexp.runtime.torch_runtime import TorchRuntime

N_COLUMNS, GROUP, BATCH = 20, 100_000, 4096

SPEC = """\
runexp: 1
name: table
execution: {{device: cpu, threads: 1}}
data:
  t: {{source: rows.parquet, features: {{x: "x*"}}, targets: {{y: y}}, stream: {stream}}}
nodes: {{net: {{inputs: t.x, use: torch.nn.Linear, with: {{out_features: 1}}}}}}
losses: {{near: {{node: net, use: mse, inputs: [outputs, targets.y]}}}}
phases:
  train: {{kind: train, split: all, epochs: 1, batches: {{size: {batch}}}, losses: [near], optimizer: {{use: adam}}}}
"""


def main() -> None:
    """Write the table, run every way, print what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where the table is kept; left out: a folder that is removed")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        print(json.dumps(_measured(WAYS[given.way], given.folder)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = given.folder or Path(name)
        write_table(folder, given.rows)
        console = Console(width=100)
        console.print(_table(folder, given.rows))
        console.print(f"an epoch of batches from memory over `index_select` alone: {_gathers(folder):.2f}")


def write_table(folder: Path, n_rows: int) -> None:
    """Rows of 20 columns of float32 and a target, in groups of 100,000, unless they are there."""
    path = folder / "rows.parquet"
    if path.exists():
        return
    rng = np.random.default_rng(0)
    names = [*(f"x{index:02d}" for index in range(N_COLUMNS)), "y"]
    schema = pa.schema([(name, pa.float32()) for name in names])
    with parquet.ParquetWriter(path, schema, use_dictionary=False) as writer:
        for start in range(0, n_rows, GROUP):
            values = rng.standard_normal((N_COLUMNS + 1, min(GROUP, n_rows - start)), dtype=np.float32)
            writer.write_table(pa.table(list(values), schema=schema), row_group_size=GROUP)


def by_arrow(folder: Path) -> Iterator[int]:
    """pyarrow alone, in the order of the file: decoded, and put side by side as one array."""
    with parquet.ParquetFile(folder / "rows.parquet", pre_buffer=False, buffer_size=1 << 18) as file:
        for batch in file.iter_batches(batch_size=16_384):
            yield len(np.stack([column.to_numpy() for column in batch.columns], axis=1))


def held(folder: Path) -> Iterator[int]:
    """runexp, shuffled, the table in memory."""
    return _by_runexp(folder, "false")


def streamed(folder: Path) -> Iterator[int]:
    """runexp, shuffled, the table streamed."""
    return _by_runexp(folder, "true")


WAYS: dict[str, Callable[[Path], Iterator[int]]] = {
    "pyarrow": by_arrow,
    "streamed": streamed,
    "held": held,
}


def _by_runexp(folder: Path, stream: str) -> Iterator[int]:
    path = folder / f"{stream}.yaml"
    path.write_text(SPEC.format(stream=stream, batch=BATCH), encoding="utf-8")
    plan = check(path).linked
    program = TorchRuntime(plan, folder=folder).open_train(plan.phase("train"))
    yield 0
    for batch in program.draw(0):
        yield len(batch[0])


def _gathers(folder: Path, rounds: int = 5) -> float:
    """CPU time of an epoch of batches from memory, over that of `torch.index_select` alone on the same tensors."""
    torch.set_num_threads(1)
    plan = check(folder / "false.yaml").linked
    runtime = TorchRuntime(plan, folder=folder)
    program = runtime.open_train(plan.phase("train"))
    x, y = (runtime.sets["t"].tensor(key, "cpu") for key in "xy")
    seconds: dict[str, list[float]] = {"batches": [], "alone": []}
    for number in range(rounds):
        start = time.process_time()
        for _ in program.draw(number):
            pass
        middle = time.process_time()
        for rows in torch.randperm(len(x)).split(BATCH):
            x.index_select(0, rows), y.index_select(0, rows)
        seconds["batches"].append(middle - start)
        seconds["alone"].append(time.process_time() - middle)
    return median(seconds["batches"]) / median(seconds["alone"])


def _measured(way: Callable[[Path], Iterator[int]], folder: Path) -> dict[str, float]:
    """Seconds until the first batch is asked for, then those of the epoch, wall and CPU, and the peak of memory."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    batches = way(folder)
    n_rows = next(batches)
    opened, cpu = time.perf_counter(), time.process_time()
    n_rows += sum(batches)
    return {
        "rows": n_rows,
        "opening": opened - began,
        "wall": time.perf_counter() - opened,
        "cpu": time.process_time() - cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _table(folder: Path, n_rows: int) -> Table:
    title = f"{n_rows:,} x {N_COLUMNS} float32 from Parquet, batches of {BATCH}, CPU"
    table = Table("way", "opening s", "epoch s", "rows a second", "CPU s", "peak MiB", title=title)
    for name in WAYS:
        command = [sys.executable, "-m", "bench.data", "--way", name, "--folder", str(folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout)
        rate = f"{found['rows'] / found['wall'] / 1e6:.2f} M"
        table.add_row(
            name, f"{found['opening']:.1f}", f"{found['wall']:.2f}", rate, f"{found['cpu']:.2f}", f"{found['peak']:.0f}"
        )
    return table


if __name__ == "__main__":
    main()
