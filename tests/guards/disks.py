"""A disk that gets full: a small file system of its own, and what of a run folder must hold whatever was refused."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager

import pyarrow.parquet as pq
from safetensors.numpy import load_file

from runexp.observe.event_log import read_events
from runexp.store.checkpoints import MANIFEST, CheckpointFolder

SPEC = """\
runexp: 1
name: filling
seed: 3
execution: {device: cpu, threads: 1}
data:
  d:
    source: sklearn.datasets.load_iris
    features: {x: ["sepal *", "petal *"]}
    targets: {y: target}
    splits: {train: 0.6, val: 0.4}
    transforms: [{on: x, use: sklearn.preprocessing.StandardScaler}]
nodes:
  pca: {inputs: d.x, use: sklearn.decomposition.PCA, with: {n_components: 3}}
  head: {inputs: pca, use: torch.nn.Linear, with: {out_features: 3}}
losses: {ce: {node: head, use: cross_entropy}}
phases:
  reduce: {kind: fit, nodes: [pca]}
  train:
    kind: train
    epochs: 2
    batches: {size: 30}
    losses: [ce]
    optimizer: {use: adam, with: {lr: 0.05}}
    callbacks: [{use: evaluation, split: val}, {use: save_best, monitor: val_loss}]
    checkpoints: {at: epoch_end}
  test: {kind: eval, split: val, losses: [ce]}
"""


@contextmanager
def small_disk(folder, n_bytes):
    """A file system in memory of so many bytes at `folder`; gives what makes it large. None where nobody may mount."""
    folder.mkdir(exist_ok=True)
    options = f"size={n_bytes}"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False, capture_output=True
    )
    if done.returncode:
        yield None
        return
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def check_nothing_is_torn(folder):
    """Every file of a run is whole, or half-written under a name that says so."""
    files = [path for path in folder.rglob("*") if path.is_file() and not is_debris(path.relative_to(folder))]
    for path in files:
        READERS.get(path.suffix, lambda path: None)(path)
    for path in files:
        if path.name == MANIFEST:
            root = folder / path.relative_to(folder).parts[0]
            assert CheckpointFolder(root).verify(path.parent.relative_to(root).as_posix())


def is_debris(path):
    return any(part.startswith(".") for part in path.parts)


READERS = {
    ".json": lambda path: json.loads(path.read_text()),
    ".parquet": pq.read_table,
    ".safetensors": load_file,
    ".jsonl": lambda path: list(read_events(path)),
}
