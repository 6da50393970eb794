"""A small table on disk, specs over it, and the plan and runtime they give."""

from __future__ import annotations

import csv
from pathlib import Path
from textwrap import dedent

import numpy as np
import torch

from runexp.api.checking import check
from runexp.diagnostics import SpecError
from runexp.engine.experiment import Experiment
from runexp.events import PhaseFinished, RunFinished
from runexp.plan.experiment import Plan
from runexp.runtime.torch_runtime import TorchRuntime

N_TRAIN, N_VAL = 61, 23
HEAD = """\
runexp: 1
name: table
seed: 4
execution: {device: cpu, threads: 1}
data:
  t:
    source: table.csv
    features: {x: [x0, x1, x2, x3], one: x0}
    targets: {kind: kind, flag: flag, value: value, flags: [flag, other], sign: sign, chance: chance, share: "share*"}
    splits: {column: part}
"""


def write_table(folder: Path) -> None:
    """`table.csv`: four features; targets of every sort a loss may want; 61 rows of train, 23 of val."""
    rng = np.random.default_rng(0)
    n = N_TRAIN + N_VAL
    x = rng.normal(size=(n, 4)).round(4)
    kind = (x[:, 0] + 0.3 * rng.normal(size=n) > 0).astype(int) + (x[:, 1] > 0.5)
    yes = (x[:, 2] + 0.5 * rng.normal(size=n) > 0).astype(int)
    share = rng.dirichlet(np.ones(3), size=n).round(6)
    header = [
        "x0",
        "x1",
        "x2",
        "x3",
        "kind",
        "flag",
        "other",
        "sign",
        "value",
        "chance",
        "share0",
        "share1",
        "share2",
        "part",
    ]
    with open(folder / "table.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(header)
        for i in range(n):
            value = round(float(x[i] @ [1, -2, 0.5, 0] + 0.1 * rng.normal()), 4)
            part = "train" if i < N_TRAIN else "val"
            labels = [int(kind[i]), int(yes[i]), 1 - int(yes[i]), 2 * int(yes[i]) - 1]
            table.writerow([*x[i], *labels, value, round(float(rng.uniform()), 4), *share[i], part])


def opened(folder: Path, text: str, *, head: str = HEAD) -> tuple[Plan, TorchRuntime]:
    """The plan and the runtime of a spec over the table; `SpecError` where it is refused."""
    if not (folder / "table.csv").exists():
        write_table(folder)
    path = folder / "spec.yaml"
    path.write_text(head + dedent(text), encoding="utf-8")
    checked = check(path)
    if not checked.is_valid:
        raise SpecError(checked.diagnostics)
    assert checked.plan is not None
    runtime = TorchRuntime(checked.plan, folder=folder)
    runtime.rehearse(checked.plan.phases)
    return checked.plan, runtime


def run(plan: Plan, runtime: TorchRuntime, label: str = "", **options) -> list:
    """The events of a whole run, or of one phase; what it failed of is raised."""
    experiment = Experiment(plan, runtime, **options)
    events = list(experiment.run_phase(label) if label else experiment.run())
    if experiment.error:
        raise experiment.error
    assert isinstance(events[-1], RunFinished)
    return events


def final(events: list, label: str) -> dict[str, float]:
    """The final numbers of a phase."""
    found = [event for event in events if isinstance(event, PhaseFinished) and event.phase == label]
    return dict(found[-1].metrics)


def weights(runtime: TorchRuntime) -> dict[str, torch.Tensor]:
    """A copy of every weight and buffer, by node and name."""
    return {
        f"{name}.{key}": value.clone()
        for name, module in runtime.graph.modules.items()
        for key, value in module.state_dict().items()
    }


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether two sets of weights are equal bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def columns(runtime: TorchRuntime, split: str, *keys: str) -> list[torch.Tensor]:
    """The rows of a split of the table."""
    features = runtime.sets["t"]
    return [features.tensor(key, "cpu")[torch.from_numpy(features.splits[split])] for key in keys]
