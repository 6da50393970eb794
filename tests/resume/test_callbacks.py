"""What callbacks remember is in the saved state: a run that is broken off and gone on with tells the same (S-39)."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from resume.runs import assert_same, begin, go_on
from resume.small import written
from runexp.spec.built_in_callbacks import BuiltIn

OWN = """\
import random

import numpy as np
import torch

def drawn():
    return [random.random(), float(np.random.rand()), float(torch.rand(()))]

class Counting:
    def __init__(self):
        self.n = 0

    def on_batch_end(self, view):
        self.n += 1

    def on_epoch_end(self, view):
        view.log("seen", self.n)

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]

class Fragile:
    def on_epoch_start(self, view):
        raise ValueError("once")

class Around:
    def __init__(self):
        self.labels = []

    def on_experiment_start(self, view):
        return drawn()

    def on_phase_start(self, view):
        return drawn()

    def on_phase_end(self, view):
        self.labels.append(view.where)
        return [self.labels, sorted(view.results), drawn()]

    def state(self):
        return {"labels": list(self.labels)}

    def load_state(self, state):
        self.labels = state["labels"]
"""
CALLBACKS = {
    "early_stopping": "{use: early_stopping, monitor: val_loss, patience: 2, min_delta: 0.1, restore_best: true}",
    "ema": "{use: ema, decay: 0.5}",
    "swa": "{use: swa, from_epoch: 0}",
    "freeze": "{use: freeze, nodes: [body], epoch: 1}",
    "unfreeze": "{use: unfreeze, nodes: [body], epoch: 2}",
    "gradual_unfreezing": "{use: gradual_unfreezing, every_n_epochs: 2}",
    "histograms": "{use: histograms, bins: 3}",
    "learning_rate_monitor": "{use: learning_rate_monitor}",
    "loss_not_decreasing": "{use: loss_not_decreasing, monitor: val_loss, patience: 1, min_delta: 9}",
    "memory_limit": "{use: memory_limit, gigabytes: 999}",
    "model_summary": "{use: model_summary}",
    "nan_guard": "{use: nan_guard, on_nan: skip}",
    "norms": "{use: norms, by_node: true}",
    "save_best": "{use: save_best, monitor: val_loss}",
    "throughput": "{use: throughput}",
    "time_limit": "{use: time_limit, minutes: 60}",
    "own": "{use: mine.Counting}, {use: mine.Fragile, on_error: warn}",
}
AROUND = "imports: [mine]\nexperiment_callbacks: {around: {use: mine.Around}, t: {use: time_limit, minutes: 60}}"
TOGETHER = [name for name in CALLBACKS if name not in ("swa", "unfreeze", "gradual_unfreezing", "throughput", "own")]


def test_every_callback_that_there_is_is_tried():
    words = {get_args(section.model_fields["use"].annotation)[0] for section in get_args(BuiltIn)}
    assert set(CALLBACKS) == words | {"early_stopping", "own"}


def without_clock(folder):
    """Leave out of the record what depends on how fast the machine is."""
    for name in ("events.jsonl", "metrics.csv", "summary.json"):
        lines = (folder / name).read_text().splitlines(keepends=True)
        if name == "events.jsonl":
            lines = [json.dumps(without_speed(json.loads(line))) + "\n" for line in lines]
        elif name == "summary.json":
            lines = [json.dumps(without_speed(json.loads("".join(lines))))]
        else:
            lines = [line for line in lines if "rows_per_second" not in line and "memory_mb" not in line]
        (folder / name).write_text("".join(lines))


def without_speed(value):
    if not isinstance(value, dict):
        return value
    return {key: without_speed(item) for key, item in value.items() if key not in ("rows_per_second", "memory_mb")}


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("callbacks/**/*") if path.is_file()}


def check_round_trip(home, names, cuts):
    (home / "mine.py").write_text(OWN)
    spec = written(home, callbacks=", ".join(["validate", *(CALLBACKS[name] for name in names)]), extra=AROUND)
    if names == ["nan_guard"]:
        head, _, rest = spec.read_text().replace("lr: 0.05", "lr: 1.0e+25").partition("  both:\n")
        spec.write_text(head + rest[rest.index("  test:") :])
    begin(spec, home / "whole")
    for after in cuts:
        folder = home / f"run-{after}"
        assert begin(spec, folder, after=after).status == "interrupted"
        assert go_on(folder).status == "completed"
        for run in (home / "whole", folder):
            without_clock(run)
        assert_same(folder, home / "whole")
        assert files(folder) == files(home / "whole")


@pytest.mark.parametrize("names", [TOGETHER, ["swa", "gradual_unfreezing", "own"]], ids=["most", "others"])
def test_callbacks_go_on_from_what_they_remember(names, home):
    """Amid an epoch, and in the phase after it; what those around phases draw at random is the seed's (S-50)."""
    check_round_trip(home, names, [5, 10])


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLBACKS)
def test_each_callback_goes_on_from_what_it_remembers(name, home):
    """After the first batch, amid an epoch, and at the end of one."""
    check_round_trip(home, [name], [1, 5, 6])
