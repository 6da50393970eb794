"""Specs over small series and texts, written shortly, and what they give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent, indent

import numpy as np
import pytest

from runexp.api.checking import check
from runexp.api.running import Place, Run, run
from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.experiment import Plan
from runexp.runtime.data import FeatureSet, build_feature_set
from runexp.runtime.torch_runtime import TorchRuntime

HEAD = "runexp: 1\nname: windows\nseed: 3\nexecution: {device: cpu, threads: 1}\n"

FORECAST = """\
nodes:
  net: {inputs: d.x, layers: [torch.nn.Flatten, torch.nn.Linear: {out_features: 1}]}
losses: {error: {node: net, use: mse}}
phases:
  train:
    {kind: train, epochs: 15, batches: {size: 32}, losses: [error], optimizer: {use: adam, with: {lr: 0.02}}}
  test: {kind: eval, split: test, losses: [error], metrics: [r2]}
"""

LANGUAGE = """\
nodes:
  net:
    inputs: d.tokens
    layers:
      - torch.nn.Embedding: {embedding_dim: 8}
      - torch.nn.Linear: {out_features: "${classes:d.ahead}"}
losses: {lm: {node: net, use: causal_lm}}
phases:
  train: {kind: train, epochs: 2, batches: {size: 8}, losses: [lm], optimizer: {use: adam, with: {lr: 0.05}}}
  test: {kind: eval, split: test, losses: [lm], metrics: [perplexity, accuracy], batch_size: 3}
"""


def write_spec(folder: Path, data: str, rest: str, **files: str | bytes) -> Path:
    """A spec with one feature set `d`, beside these files (`a__csv`)."""
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content if isinstance(content, bytes) else content.encode())
    spec = folder / "spec.yaml"
    spec.write_text(f"{HEAD}data:\n  d:\n{indent(dedent(data).strip(), '    ')}\n{rest}")
    return spec


def read(folder: Path, data: str, **files: str | bytes) -> FeatureSet:
    """The feature set `d` of a spec in which nothing is wrong; it may be warned of."""
    key = "tokens" if "tokens:" in data else "x"
    split = "train" if "splits:" in data else "all"
    rest = f"nodes: {{n: {{inputs: d.{key}, use: pca}}}}\nphases: {{f: {{kind: fit, nodes: [n], split: {split}}}}}\n"
    checked = check(write_spec(folder, data, rest, **files))
    assert checked.is_valid, checked.diagnostics
    return build_feature_set(checked.require().linked.data[0], seed=3, folder=folder)


def misread(folder: Path, data: str, **files: str | bytes) -> Diagnostic:
    """The one mistake that only the rows show."""
    with pytest.raises(SpecError) as caught:
        read(folder, data, **files)
    (found,) = caught.value.diagnostics
    return found


def opened(folder: Path, data: str, rest: str, **files: str | bytes) -> tuple[Plan, TorchRuntime]:
    plan = check(write_spec(folder, data, rest, **files)).require().linked
    return plan, TorchRuntime(plan, folder=folder)


def finished(folder: Path, data: str, rest: str, **files: str | bytes) -> Run:
    """A run of the spec that must complete without a word of warning."""
    checked = check(write_spec(folder, data, rest, **files))
    assert checked.diagnostics == ()
    made = run(checked, Place(folder / "runs"), watch=lambda live: ())
    assert made.status == "completed", made.error
    return made


def series(n: int, groups: Sequence[str] = ("p", "q")) -> str:
    """`t,g,a,b`: sine waves of another phase in each group, times of the groups one after the other."""
    rows = [
        f"{t},{group},{np.sin(t / 3 + index):.5f},{np.cos(t / 3 + index):.5f}"
        for t in range(n)
        for index, group in enumerate(groups)
    ]
    return "\n".join(["t,g,a,b", *rows]) + "\n"
