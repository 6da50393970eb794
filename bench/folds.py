"""`python -m bench.folds [--rounds N]`: ten folds of a small network on digits: in turn, at once, apart, by hand."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from torch import nn

from runexp.api.checking import check
from runexp.api.running import Place, run

N_EPOCHS, N_FOLDS, BATCH = 20, 10, 32
SPEC = f"""\
runexp: 1
name: folds
execution: {{device: cpu, threads: 1}}
data:
  digits:
    source: sklearn.datasets.load_digits
    features: {{pixels: "pixel_*"}}
    targets: {{label: target}}
    transforms: [{{on: pixels, use: standard_scaler}}]
nodes:
  net:
    inputs: digits.pixels
    layers: [{{torch.nn.Linear: {{out_features: 64}}}}, torch.nn.ReLU, {{torch.nn.Linear: {{out_features: 10}}}}]
losses: {{ce: {{node: net, use: cross_entropy}}}}
phases:
  train: {{kind: train, epochs: {N_EPOCHS}, batches: {{size: {BATCH}}}, losses: [ce],
          optimizer: {{use: adam, with: {{lr: 1e-3}}}}}}
  score: {{kind: eval, split: val, losses: [ce], metrics: [accuracy]}}
cv: {{folds: {N_FOLDS}}}
"""


def folds(rounds: int) -> Table:
    """CPU seconds of whole cross-validations, in turn, the first round left out; and wall seconds."""
    ways: dict[str, Callable[[Path], None]] = {
        "by hand, one fold after the other": lambda folder: _by_hand(),
        "runexp, sequential": _way("sequential"),
        "runexp, processes, 2 workers": _way("processes", "cv.workers=2"),
        "runexp, vectorized": _way("vectorized"),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in list(ways) if number % 2 else reversed(ways):
            with tempfile.TemporaryDirectory() as folder:
                cpu, wall = _cpu(), time.perf_counter()
                ways[name](Path(folder))
                if number:
                    seconds[name].append((_cpu() - cpu, time.perf_counter() - wall))
    n_steps = N_FOLDS * N_EPOCHS * 51
    table = Table("way", "CPU s", "us a step of a fold", "sequential takes", "wall s", title="10 folds on digits")
    for name, measured in seconds.items():
        cpu, wall = (median(column) for column in zip(*measured, strict=True))
        ratio = median(one[0] / own[0] for one, own in zip(seconds["runexp, sequential"], measured, strict=True))
        table.add_row(name, f"{cpu:.2f}", f"{cpu / n_steps * 1e6:.0f}", f"{ratio:.2f} times", f"{wall:.2f}")
    return table


def _way(execution: str, *others: str) -> Callable[[Path], None]:
    def go(folder: Path) -> None:
        (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
        checked = check(folder / "spec.yaml", overrides=[f"cv.execution={execution}", *others])
        if run(checked, Place(at=folder / "run"), watch=lambda live: ()).status != "completed":
            raise RuntimeError(f"the {execution} folds did not complete")

    return go


def _by_hand() -> None:
    """What a careful person writes: a scaler a fold, a permutation and a gather an epoch, the fused Adam."""
    pixels, labels = load_digits(return_X_y=True)
    scores = []
    for train, held_out in KFold(N_FOLDS, shuffle=True, random_state=0).split(pixels):
        scaler = StandardScaler().fit(pixels[train])
        x, y = torch.tensor(scaler.transform(pixels), dtype=torch.float32), torch.tensor(labels)
        model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        optimizer, loss_of = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True), nn.CrossEntropyLoss()
        for _ in range(N_EPOCHS):
            order, total = torch.tensor(np.random.permutation(train)), 0.0
            for rows, targets in zip(x[order].split(BATCH), y[order].split(BATCH), strict=True):
                loss = loss_of(model(rows), targets)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                total += loss.item()
        with torch.no_grad():
            scores.append((model(x[held_out]).argmax(1) == y[held_out]).float().mean().item())
    if np.mean(scores) < 0.9:
        raise RuntimeError("the loop written by hand does not learn")


def _cpu() -> float:
    """CPU seconds of this process and of those it waited for."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="cross-validations measured for each way")
    torch.set_num_threads(1)
    Console(width=110).print(folds(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
