"""Whole processes on streamed data: the memory they take, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streaming.streams import written

SPEC = """
nodes: {net: {inputs: t.x, use: torch.nn.Linear, with: {out_features: 1}}}
losses: {near: {node: net, use: mse, inputs: [outputs, targets.y]}}
callbacks: {validate: {use: evaluation, split: val, losses: [near], metrics: [r2]}}
phases:
  train:
    {kind: train, epochs: %d, batches: {size: 1024}, losses: [near], optimizer: {use: adam}, callbacks: [validate]}
"""
DATA = """
source: rows.parquet
features: {x: x*}
targets: {y: y}
splits: {train: 0.9, val: 0.1}
stream: %s
transforms: [{on: x, use: standard_scaler}]
"""
RUN = """
import json, resource, sys
from pathlib import Path
from runexp.api.checking import check
from runexp.api.running import Place, run
import runexp.runtime.torch_runtime, sklearn.preprocessing
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
done = run(check(Path("spec.yaml")), Place(Path("runs")), watch=lambda live: [])
print(json.dumps([done.status, peak() - before, dict(done.results.summary())]))
"""

_GROUP = 20_000


def write_table(path, n_rows, n_columns=80):
    """Rows of float32 in groups of 20,000, written group by group."""
    rng = np.random.default_rng(0)
    writer = None
    for _ in range(0, n_rows, _GROUP):
        x = rng.standard_normal((n_columns, _GROUP), dtype=np.float32)
        columns = {f"x{index:02d}": x[index] for index in range(n_columns)}
        part = pa.table({**columns, "y": x[:3].sum(axis=0)})
        writer = writer or pq.ParquetWriter(path, part.schema, use_dictionary=False)
        writer.write_table(part, row_group_size=_GROUP)
    writer.close()


@pytest.mark.slow
def test_a_table_twice_the_memory_it_may_take_trains(tmp_path, run_python):
    """400 MB of values; the process may grow by 200 MB more than one that trains on a thirtieth of them."""
    growth = []
    for n_rows in (40_000, 1_250_000):
        write_table(tmp_path / "rows.parquet", n_rows)
        written(tmp_path, DATA % "{buffer: 20000, prefetch: 1}", SPEC % 1)
        done = run_python("-c", RUN, timeout=300)
        assert done.returncode == 0, done.stderr
        status, peak, _ = json.loads(done.stdout)
        assert status == "completed"
        growth.append(peak)
    assert growth[1] - growth[0] < 200e6


def test_ctrl_c_in_the_middle_of_an_epoch_ends_the_run_at_once(tmp_path):
    write_table(tmp_path / "rows.parquet", 200_000, n_columns=4)
    written(tmp_path, DATA % "{buffer: 2000, prefetch: 8}", SPEC % 1000)
    process = subprocess.Popen(
        [sys.executable, "-m", "runexp", "run", "spec.yaml", "--run-dir", "out"],
        cwd=tmp_path,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _await(process, tmp_path / "out/events.jsonl", "EpochStarted")
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert time.monotonic() - started < 20
    assert json.loads((tmp_path / "out/status.json").read_text())["state"] == "interrupted"


def _await(process, path, text):
    for _ in range(1800):
        assert process.poll() is None, process.stdout.read()
        if path.exists() and text in path.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"{path} never held {text}")
