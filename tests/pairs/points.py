"""Points on disk, the distances between them as files, and specs that learn from both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import indent

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from runexp.api.checking import check
from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.experiment import Experiment
from runexp.events import PhaseFinished
from runexp.runtime.data import FeatureSet, build_feature_set
from runexp.runtime.torch_runtime import TorchRuntime

N = 13
NAMES = [f"p{index}" for index in range(N)]
X = np.random.default_rng(3).normal(size=(N, 1)).round(3)
DISTANCES = cdist(X, X).round(6)
PARTS = ["train"] * 9 + ["val"] * 4

# The identity: outputs are the points themselves, so that only right blocks give a loss of nearly 0.
HEAD = """\
runexp: 1
name: points
seed: 1
execution: {{device: cpu, threads: 1}}
data:
  points:
    source: points.csv
    features: {{x: x0}}
    tags: {{id: name}}
    splits: {{column: part}}
  near:
{near}
nodes:
  same: {{inputs: points.x, use: linear, with: {{out_features: 1}}, init: {{weight: ones, bias: zeros}}}}
losses:
  apart: {{node: same, use: pairwise_distance, inputs: [outputs, near]}}
callbacks:
  validate: {{use: evaluation, split: val, losses: [apart], batch_size: 3}}
phases:
  train:
    kind: train
    epochs: 2
    batches: {{size: 4, shuffle: true}}
    losses: [apart]
    optimizer: {{use: sgd, with: {{lr: 1.0e-9}}}}
    callbacks: [validate]
  test: {{kind: eval, split: val, losses: [apart], batch_size: 1000}}
"""
NEAR = "source: near.csv\nmatrix: {rows: points, id: id}"


def write_points(folder: Path, order: Sequence[int] = range(N)) -> None:
    rows = [f"{NAMES[at]},{X[at, 0]},{PARTS[at]}" for at in order]
    (folder / "points.csv").write_text("\n".join(["name,x0,part", *rows]) + "\n")


def labelled(order: Sequence[int] = range(N), values: np.ndarray = DISTANCES, columns: Sequence[int] = ()) -> str:
    """A matrix with the ids of its rows and columns."""
    columns = columns or order
    header = ",".join(["", *(NAMES[at] for at in columns)])
    rows = (",".join([NAMES[at], *(str(values[at, to]) for to in columns)]) for at in order)
    return "\n".join([header, *rows]) + "\n"


def bare(order: Sequence[int] = range(N), values: np.ndarray = DISTANCES) -> str:
    return "\n".join(",".join(str(values[at, to]) for to in order) for at in order) + "\n"


def opened(folder: Path, near: str = NEAR, head: str = HEAD) -> tuple:
    """The plan and the runtime of a spec; `SpecError` where it is refused."""
    path = folder / "spec.yaml"
    path.write_text(head.format(near=indent(near, "    ")))
    checked = check(path)
    if not checked.is_valid:
        raise SpecError(checked.diagnostics)
    runtime = TorchRuntime(checked.linked, folder=folder)
    runtime.rehearse(checked.linked.phases)
    return checked.linked, runtime


def numbers(folder: Path, near: str = NEAR, head: str = HEAD) -> dict[str, dict[str, float]]:
    """The final numbers of every phase of a run."""
    plan, runtime = opened(folder, near, head)
    experiment = Experiment(plan, runtime)
    events = list(experiment.run())
    if experiment.error:
        raise experiment.error
    return {event.phase: dict(event.metrics) for event in events if isinstance(event, PhaseFinished)}


def read(folder: Path, near: str = NEAR) -> FeatureSet:
    path = folder / "spec.yaml"
    path.write_text(HEAD.format(near=indent(near, "    ")))
    return build_feature_set(check(path).linked.data[0], seed=1, folder=folder)


def refused(folder: Path, near: str = NEAR) -> Diagnostic:
    """The one mistake that only the rows show."""
    with pytest.raises(SpecError) as caught:
        read(folder, near)
    (found,) = caught.value.diagnostics
    return found
