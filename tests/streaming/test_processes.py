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


def write_table(path, n_rows, n_columns=40):
    """Rows of float32 in groups of 50,000, written group by group."""
    rng = np.random.default_rng(0)
    writer = None
    for _ in range(0, n_rows, 50_000):
        x = rng.standard_normal((n_columns, 50_000), dtype=np.float32)
        columns = {f"x{index:02d}": x[index] for index in range(n_columns)}
        part = pa.table({**columns, "y": x[:3].sum(axis=0)})
        writer = writer or pq.ParquetWriter(path, part.schema, use_dictionary=False)
        writer.write_table(part, row_group_size=50_000)
    writer.close()


@pytest.mark.slow
def test_a_table_twice_the_memory_it_may_take_trains(tmp_path, run_python):
    """300 MB of values; the process may grow by 150 MB; the same table in memory grows by more."""
    write_table(tmp_path / "rows.parquet", 1_850_000)
    growth = {}
    for how in ("{buffer: 30000, prefetch: 1}", "false"):
        written(tmp_path, DATA % how, SPEC % 1)
        done = run_python("-c", RUN, timeout=300)
        assert done.returncode == 0, done.stderr
        status, growth[how], _ = json.loads(done.stdout)
        assert status == "completed"
    streamed, held = growth.values()
    assert streamed < 150e6 < 300e6 < held


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
        _await(tmp_path / "out/events.jsonl", "EpochStarted")
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert time.monotonic() - started < 5
    assert json.loads((tmp_path / "out/status.json").read_text())["state"] == "interrupted"


def _await(path, text):
    for _ in range(600):
        if path.exists() and text in path.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"{path} never held {text}")
