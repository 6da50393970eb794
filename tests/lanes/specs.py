"""Small specs with several lanes, and what runs of them did."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import numpy as np
import torch

from runexp.api.checking import check
from runexp.diagnostics import SpecError
from runexp.engine.experiment import Experiment
from runexp.engine.protocol import ExecutionContext
from runexp.plan.experiment import Plan
from runexp.runtime.torch_runtime import TorchRuntime

BRANCH = "[{torch.nn.Linear: {out_features: 4}}, torch.nn.BatchNorm1d, {torch.nn.Linear: {out_features: 1}}]"
TWO = f"""\
runexp: 1
name: two
seed: 3
execution: {{device: cpu, threads: 1}}
data:
  a: {{source: a.csv, features: {{x: "x*"}}, targets: {{y: y}}}}
  b: {{source: b.csv, features: {{x: "x*"}}, targets: {{z: y}}}}
nodes:
  left: {{layers: {BRANCH}}}
  right: {{layers: {BRANCH}}}
bindings:
  one: {{node: left, data: a.x}}
  two: {{node: right, data: b.x}}
losses:
  first: {{node: left, use: mse, inputs: [outputs, targets.y]}}
  second: {{node: right, use: mse, inputs: [outputs, targets.z]}}
phases:
"""
"""Two branches, each on a table of its own, that meet nowhere."""


def write_table(path: Path, n_rows: int, *, seed: int = 0) -> None:
    """Two numbers a row, `y` near their difference, `kind` 0, 1 or 2, and the row's number."""
    x = np.random.default_rng(seed).normal(size=(n_rows, 2)).round(4)
    lines = [f"{a},{b},{a - b + 0.5:.4f},{index % 3},{index}" for index, (a, b) in enumerate(x)]
    path.write_text("\n".join(["x0,x1,y,kind,number", *lines]) + "\n", encoding="utf-8")


def compiled(folder: Path, text: str) -> Plan:
    """The plan of a spec; `SpecError` where it is refused."""
    path = folder / "spec.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    checked = check(path)
    if not checked.is_valid or checked.plan is None:
        raise SpecError(checked.diagnostics)
    return checked.plan


def opened(folder: Path, text: str) -> tuple[Plan, TorchRuntime]:
    """The plan and the runtime, rehearsed."""
    plan = compiled(folder, text)
    runtime = TorchRuntime(plan, folder=folder)
    runtime.rehearse(plan.phases)
    return plan, runtime


def run(plan: Plan, runtime: TorchRuntime) -> list:
    """The events of a run; what it failed of is raised."""
    experiment = Experiment(plan, runtime)
    events = list(experiment.run())
    if experiment.error:
        raise experiment.error
    return events


def state(runtime: TorchRuntime, program, node: str) -> dict[str, torch.Tensor]:
    """A copy of all that a step may change of a node: weights, buffers, and what its optimizer keeps."""
    module = runtime.graph.modules[node]
    found = {name: value.clone() for name, value in module.state_dict().items()}
    for name, parameter in module.named_parameters():
        for key, value in program.optimizer.state.get(parameter, {}).items():
            if isinstance(value, torch.Tensor):
                found[f"{name}.{key}"] = value.clone()
    return found


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether two states are equal bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def steps(program, epoch: int = 0):
    """Every step of an epoch, as it is about to be taken."""
    for index, batch in enumerate(program.draw(epoch)):
        yield ExecutionContext("train", epoch, index, batch)
