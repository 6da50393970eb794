"""An installed package offers nodes, losses, metrics, transforms and sources under names of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "runexp-waves"
version = "1.2"

[project.entry-points."runexp.nodes"]
gate = "runexp_waves.parts:Gate"
mean_centre = "runexp_waves.parts:Centre"

[project.entry-points."runexp.losses"]
smooth = "runexp_waves.parts:smooth"

[project.entry-points."runexp.metrics"]
spread = "runexp_waves.parts:spread"

[project.entry-points."runexp.transforms"]
centre = "runexp_waves.parts:Centre"

[project.entry-points."runexp.sources"]
wave = "runexp_waves.parts:wave"

[tool.hatch.build.targets.wheel]
packages = ["runexp_waves"]
"""
CODE = '''\
import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin


class Gate(torch.nn.Module):
    """A linear layer whose output is let through by another."""

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.value = torch.nn.Linear(in_features, out_features)
        self.gate = torch.nn.Linear(in_features, out_features)

    def forward(self, x):
        return self.value(x) * torch.sigmoid(self.gate(x))


class Centre(TransformerMixin, BaseEstimator):
    """Rows less their mean."""

    def fit(self, x, y=None):
        self.mean_ = x.mean(axis=0)
        return self

    def transform(self, x):
        return x - self.mean_


def smooth(outputs, targets, beta: float = 1.0):
    """A Huber loss."""
    return torch.nn.functional.smooth_l1_loss(outputs.squeeze(1), targets, beta=beta)


def spread(y_true, y_pred):
    return float(np.std(y_pred[:, 0] - y_true))


def wave(n, seed=None):
    x = np.random.default_rng(seed).uniform(-3, 3, n)
    return {"x": x, "y": np.sin(x)}
'''
SPEC = """\
runexp: 1
name: plugged
execution: {device: cpu, threads: 1}
data:
  d:
    source: {use: wave, with: {n: 40}}
    features: {x: x}
    targets: {y: y}
    splits: {train: 0.5, test: 0.5}
    transforms: [{on: x, use: centre}]
nodes:
  middle: {inputs: d.x, use: mean_centre}
  gate: {inputs: middle, use: gate, with: {out_features: 1}}
losses:
  fit: {node: gate, use: smooth, with: {beta: 0.5}}
phases:
  fit: {kind: fit, split: train, nodes: [middle]}
  train: {kind: train, epochs: 2, losses: [fit], optimizer: {use: sgd, with: {lr: 0.1}}}
  test: {kind: eval, split: test, losses: [fit], metrics: [spread]}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder a real wheel of the package was installed into."""
    source, target = tmp_path_factory.mktemp("waves"), tmp_path_factory.mktemp("installed")
    (source / "runexp_waves").mkdir()
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "runexp_waves/__init__.py").write_text("")
    (source / "runexp_waves/parts.py").write_text(CODE)
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    made = subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, "--target", str(target), str(source)],
        check=False,
        capture_output=True,
        text=True,
    )
    if "No module named pip" in made.stderr:
        pytest.skip("this Python has no pip")
    assert made.returncode == 0, made.stderr
    return target


@pytest.fixture
def runexp(installed, tmp_path):
    def command(*arguments):
        places = [str(installed), *sys.path]
        return subprocess.run(
            [sys.executable, "-m", "runexp", *arguments],
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )

    return command


def test_what_a_package_registers_runs_by_its_short_names(runexp, tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    done = runexp("run", "spec.yaml", "--run-dir", "run")
    assert done.returncode == 0, done.stderr
    assert "runs code of yours" not in done.stderr
    numbers = json.loads((tmp_path / "run/summary.json").read_text())["metrics"]["test"]
    assert set(numbers) == {"loss", "fit", "spread"}
    assert "d" in json.loads((tmp_path / "run/lock.json").read_text())["sources"]


def test_its_parts_are_checked_by_their_source_and_listed(runexp, tmp_path):
    wrong = SPEC.replace("out_features: 1", "out_featurs: 1").replace("use: smooth", "use: smoth")
    (tmp_path / "spec.yaml").write_text(wrong)
    done = runexp("validate", "spec.yaml")
    assert done.returncode == 2
    assert "did you mean `out_features`?" in done.stderr
    assert "did you mean `smooth`?" in done.stderr
    assert "A linear layer whose output is let through by another" in runexp("catalog", "gate").stdout


def test_what_its_code_raises_is_shown_with_its_line(runexp, tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC.replace("{n: 40}", "{n: -1}"))
    done = runexp("run", "spec.yaml")
    assert done.returncode == 2
    assert "error[failed-code]: `wave` of `data.d.source` fails: ValueError" in done.stderr
    assert "in `wave`" in done.stderr
