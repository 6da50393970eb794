"""Many runs at once, and very long ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from guards.disks import SPEC
from guards.specs import write_table
from resume.runs import weights
from runexp.store.index import list_records
from runexp.store.run_folder import FolderInUse, RunFolder

STEPS = """\
runexp: 1
name: steps
execution: {device: cpu, threads: 1}
data:
  d:
    source: table.csv
    features: {x: [a, b]}
    targets: {y: y}
nodes:
  head: {inputs: d.x, use: torch.nn.Linear, with: {out_features: 1}}
losses: {fit: {node: head, use: mse}}
phases:
  train:
    kind: train
    split: all
    steps: 1000000
    batches: {size: 2}
    losses: [fit]
    optimizer: {use: sgd, with: {lr: 1.0e-6}}
"""

MEASURED = """\
import sys
from pathlib import Path
from runexp.api.checking import check
from runexp.api.running import Place, run
from runexp.events import EpochFinished
from runexp.runtime.memory import held_bytes

class Measuring:
    wants = frozenset({EpochFinished})

    def receive(self, stamped):
        print(stamped.event.step, held_bytes(), flush=True)

    def close(self):
        pass

finished = run(check(sys.argv[1]), Place(at=Path(sys.argv[2])), watch=lambda live: [Measuring()])
assert finished.status == "completed", finished.error
"""


def environment(root):
    return {**os.environ, "PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_eight_runs_started_at_once_do_not_meet(root, tmp_path):
    """Eight folders, eight times the same bits, and the index lists all."""
    (tmp_path / "spec.yaml").write_text(SPEC)
    runs = tmp_path / "runs"
    command = [sys.executable, "-m", "runexp", "run", "spec.yaml", "--runs", str(runs), "--quiet"]
    started = [
        subprocess.Popen(command, cwd=tmp_path, env=environment(root), stdout=subprocess.DEVNULL) for _ in range(8)
    ]
    listed = []
    while any(process.poll() is None for process in started):
        listed.append(len(list_records(runs)))  # whoever looks while they run sees whole records
    assert [process.wait() for process in started] == [0] * 8
    folders = sorted(path.parent for path in runs.glob("*/*/status.json"))
    assert len(folders) == 8
    assert all(weights(folder) == weights(folders[0]) for folder in folders)
    numbers = {json.dumps(json.loads((folder / "summary.json").read_text())["metrics"]) for folder in folders}
    assert len(numbers) == 1
    assert listed == sorted(listed)
    assert {record.id for record in list_records(runs)} == {folder.name for folder in folders}
    assert {record.status for record in list_records(runs)} == {"completed"}


def test_two_runs_cannot_have_one_folder(tmp_path):
    now = datetime(2026, 1, 2, tzinfo=UTC)
    with RunFolder.create(tmp_path, "a", now=now, at=tmp_path / "run"):
        with pytest.raises(FolderInUse):
            RunFolder.create(tmp_path, "a", now=now, at=tmp_path / "run")
        with pytest.raises(FolderInUse):
            RunFolder.reopen(tmp_path / "run")


@pytest.mark.slow
def test_a_million_steps_keep_memory_flat(root, tmp_path):
    """Less than 1 MiB more for every 100,000 steps, by a line through all that was measured after the first tenth."""
    write_table(tmp_path, n_rows=2000)
    (tmp_path / "spec.yaml").write_text(STEPS)
    (tmp_path / "measured.py").write_text(MEASURED)
    done = subprocess.run(
        [sys.executable, "measured.py", "spec.yaml", "run"],
        cwd=tmp_path, env=environment(root), check=True, capture_output=True, text=True,
    )  # fmt: skip
    points = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert points[-1][0] == 1_000_000
    assert slope([point for point in points if point[0] > 100_000]) * 100_000 < 2**20


def slope(points):
    """Bytes a step, by least squares."""
    mean_x, mean_y = (sum(axis) / len(points) for axis in zip(*points, strict=True))
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
