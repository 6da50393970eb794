"""Trajectories without randomness come out as plain hand-written loops give them, to 1e-5."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
import torch

from resume.runs import begin, go_on
from runexp.api.checking import check
from runexp.api.running import Place, run

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("RUNEXP_SHARED", HERE.parents[2] / "shared")).resolve()
TRACES = SHARED / "acceptance" / "exact_traces.json"

pytestmark = pytest.mark.skipif(not TRACES.is_file(), reason=f"needs {TRACES} (set RUNEXP_SHARED)")

CASES = [
    pytest.param("t01_sgd", "T01_sgd", id="T01: SGD"),
    pytest.param("t02_nesterov", "T02_sgd_momentum_nesterov", id="T02: Nesterov momentum"),
    pytest.param("t04_adamw_warmup_cosine", "T04_adamw_warmup_cosine_per_step", id="T04: AdamW, warm-up and cosine"),
    pytest.param("t06_accumulation", "T06_accum4_actual", id="T06: accumulation with a short tail"),
]


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setenv("RUNEXP_SHARED", str(SHARED))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def numbers(folder, phase, kind, name):
    """A column of metrics.csv, in the order written."""
    return [float(row["value"]) for row in _rows(folder, phase, kind, name)]


def _rows(folder, *wanted):
    with (folder / "metrics.csv").open(newline="") as table:
        return [row for row in csv.DictReader(table) if (row["phase"], row["kind"], row["name"]) == wanted]


def near(expected):
    return pytest.approx(expected, rel=0, abs=1e-5)


@pytest.mark.parametrize(("spec", "trace"), CASES)
def test_a_trace_is_reproduced(spec, trace, tmp_path):
    expected = json.loads(TRACES.read_text())[trace]
    finished = run(check(HERE / f"{spec}.yaml"), Place(at=tmp_path / "run"), watch=lambda live: ())
    assert finished.status == "completed"
    folder = tmp_path / "run"
    assert numbers(folder, "train", "epoch", "val_loss") == near(expected["val_loss"])
    assert numbers(folder, "train", "epoch", "val_accuracy") == near(expected["val_acc"])
    assert numbers(folder, "train", "epoch", "train_loss") == near(expected["train_loss_samplemean"])
    rates = numbers(folder, "train", "batch", "lr")
    n_batches = len(rates) // len(expected["lr_first_step"])
    assert rates[::n_batches] == near(expected["lr_first_step"])
    assert _rows(folder, "train", "epoch", "train_loss")[-1]["step"] == str(expected["optimizer_steps"])
    if "lr_per_step" in expected:
        assert rates == near(expected["lr_per_step"])
    if "test_loss" in expected:
        assert numbers(folder, "test", "final", "loss") == near([expected["test_loss"]])
        assert numbers(folder, "test", "final", "accuracy") == near([expected["test_acc"]])


def test_two_weighted_heads_are_reproduced(tmp_path):
    expected = json.loads(TRACES.read_text())["T15_two_heads_weighted"]
    finished = run(check(HERE / "t15_two_heads.yaml"), Place(at=tmp_path / "run"), watch=lambda live: ())
    assert finished.status == "completed"
    names = {"train_ce": "ce", "train_mse": "mse", "train_loss": "total", "val_ce": "val_ce", "val_mse": "val_mse"}
    for ours, theirs in names.items():
        assert numbers(tmp_path / "run", "train", "epoch", ours) == near(expected[theirs]), ours
    assert numbers(tmp_path / "run", "train", "epoch", "val_accuracy") == near(expected["val_acc"])


def test_a_plateau_is_reproduced(tmp_path):
    """It oscillates on purpose, so to 1e-3; the rates are exact."""
    expected = json.loads(TRACES.read_text())["T09_plateau"]
    finished = run(check(HERE / "t09_plateau.yaml"), Place(at=tmp_path / "run"), watch=lambda live: ())
    assert finished.status == "completed"
    folder = tmp_path / "run"
    assert numbers(folder, "train", "epoch", "val_loss") == pytest.approx(expected["val_loss"], abs=1e-3)
    assert numbers(folder, "train", "epoch", "val_accuracy") == pytest.approx(expected["val_acc"], abs=1e-3)
    assert numbers(folder, "train", "epoch", "lr") == expected["lr_end"]


def test_freezing_and_then_training_all_is_reproduced(tmp_path):
    """The right numbers, and not those of statistics that drift while frozen (S-12)."""
    traces = json.loads(TRACES.read_text())
    expected, drifting = traces["T11_freeze_then_finetune_bn_frozen"], traces["T11_freeze_then_finetune_bn_drifts"]
    finished = run(check(HERE / "t11_freeze_then_finetune.yaml"), Place(at=tmp_path / "run"), watch=lambda live: ())
    assert finished.status == "completed"
    for ours, theirs in {
        "train_loss": "train_loss_samplemean", "val_loss": "val_loss", "val_accuracy": "val_acc",
    }.items():  # fmt: skip
        found = [*numbers(tmp_path / "run", "head", "epoch", ours), *numbers(tmp_path / "run", "all", "epoch", ours)]
        assert found == near(expected[theirs]), ours
        assert found != near(drifting[theirs])


def test_three_epochs_and_three_more_are_six(tmp_path):
    """S-40: interrupted after three epochs of 34 batches, then gone on with; not with the weights alone."""
    expected = json.loads(TRACES.read_text())["T12_resume"]
    folder = tmp_path / "run"
    assert begin(HERE / "t12_resume.yaml", folder, after=3 * 34).status == "interrupted"
    assert go_on(folder).status == "completed"
    found = numbers(folder, "train", "epoch", "val_loss")
    assert found == near(expected["resumed_val_loss"])
    assert found != near(expected["weights_only_resume_WRONG_val_loss"])
    assert numbers(folder, "train", "epoch", "val_accuracy") == near(expected["val_acc"])
    assert numbers(folder, "train", "epoch", "train_loss") == near(expected["train_loss_samplemean"])
    assert numbers(folder, "train", "batch", "lr")[::34] == near(expected["lr_first_step"])
    assert _rows(folder, "train", "epoch", "train_loss")[-1]["step"] == str(expected["optimizer_steps"])
