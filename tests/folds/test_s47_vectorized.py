"""Folds that train at once give what they give one after the other, but for rounding (S-47)."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from folds.tables import ran, write_table
from runexp.diagnostics import SpecError
from runexp.engine.control import Control
from runexp.events import BatchFinished, PhaseStarted

SPEC = """\
runexp: 1
name: at_once
seed: 3
execution: {{device: cpu, threads: 1}}
data:
  t:
    source: table.csv
    features: {{x: [x0, x1, x2]}}
    targets: {{kind: kind, y: [x2, x0, x1]}}
    tags: {{id: id}}
    transforms: [{{on: x, use: standard_scaler}}]
nodes:
  net: {{inputs: t.x, layers: [{layers}]}}
losses: {{ {losses} }}
callbacks:
  validate: {{use: evaluation, split: val}}
  stop: {{use: early_stopping, monitor: val_loss, patience: {patience}, restore_best: true}}
phases:
  train:
    kind: train
    batches: {{size: 8}}
    {length}
    losses: [{used}]
    optimizer: {optimizer}
    callbacks: [validate, stop]
    {more}
  score: {{kind: eval, split: test, losses: [{used}]}}
cv: {cv}
"""

PLAIN = {
    "layers": "{torch.nn.Linear: {out_features: 6}}, torch.nn.Tanh, {torch.nn.Linear: {out_features: 3}}",
    "losses": "ce: {node: net, use: cross_entropy, inputs: [outputs, targets.kind]}",
    "used": "ce",
    "optimizer": "{use: adam, with: {lr: 0.05}}",
    "length": "epochs: 4",
    "patience": "9",
    "more": "",
    "cv": "{folds: 4, data: {t: {val_size: 0.2}}}",
}
# A bias before a batch normalisation has no gradient but rounding, which Adam makes steps of.
NORMED = (
    "{torch.nn.Linear: {out_features: 6, bias: false}}, torch.nn.BatchNorm1d, torch.nn.ReLU,"
    " {torch.nn.Linear: {out_features: 3}}"
)
REGRESSION = "y: {node: net, use: %s, inputs: [outputs, targets.y]}"
TWO = (
    "ce: {node: net, use: cross_entropy, inputs: [outputs, targets.kind], weight: 0.7},"
    " size: {node: net, use: mse, inputs: [outputs, targets.y], weight: 0.3}"
)
CASES = {
    "Adam": {},
    "AdamW, decay on matrices, clipped": {
        "optimizer": "{use: adamw, with: {lr: 0.05, weight_decay: 0.1}, decay: matrices}", "more": "clip: {norm: 0.5}",
    },
    "momentum, a schedule with warm-up": {
        "optimizer": "{use: sgd, with: {lr: 0.1, momentum: 0.9, nesterov: true}}",
        "more": "schedule: {use: cosine, warmup_steps: 5}",
    },
    "a plateau of its own for each fold": {
        "more": "schedule: {use: plateau, monitor: val_loss, patience: 1}", "length": "epochs: 8",
    },
    "torch's own one-cycle, which moves momentum too": {
        "more": "schedule: {use: torch.optim.lr_scheduler.OneCycleLR, with: {max_lr: 0.1, total_steps: 40},"
        " interval: step}",
    },
    "several optimizers' groups": {
        "optimizer": "{use: rmsprop, with: {lr: 0.01}, groups: {'net.0.*': {lr: 0.001}}}",
    },
    "an optimizer that is not elementwise": {"optimizer": "{use: torch.optim.Adafactor, with: {lr: 0.05}}"},
    "early stopping at another epoch in each fold": {
        "patience": "1", "length": "epochs: 30", "optimizer": "{use: adam, with: {lr: 0.3}}",
    },
    "batch normalisation": {"layers": NORMED},
    "layer norm, and layers that torch maps": {
        "layers": "{torch.nn.Linear: {out_features: 6}}, torch.nn.LayerNorm, torch.nn.GELU, {torch.nn.Unflatten:"
        " {dim: 1, unflattened_size: [2, 3]}}, {torch.nn.Conv1d: {out_channels: 3, kernel_size: 2}}, torch.nn.Flatten,"
        " {torch.nn.Linear: {out_features: 3}}",
    },
    "gathered gradients, a short last step": {"more": "accumulate: 3"},
    "clipped by value": {"more": "clip: {value: 0.01}"},
    "a length in steps": {"length": "steps: 13"},
    "two losses": {"losses": TWO, "used": "ce, size"},
    "huber": {"losses": REGRESSION % "huber", "used": "y"},
    "a loss that torch maps": {
        "losses": "ce: {node: net, use: cross_entropy, inputs: [outputs, targets.kind],"
        " with: {weight: [1.0, 2.0, 0.5]}}",
    },
    "another seed for each fold": {"cv": "{folds: 4, data: {t: {val_size: 0.2}}, new_seed: true}"},
    "folds of other numbers of batches": {"cv": "{data: {t: {column: kind, val_size: 0.2}}}"},
}  # fmt: skip


def written(folder: Path, **changes: str) -> Path:
    """The spec of a case with a table beside it."""
    folder.mkdir(exist_ok=True)
    write_table(folder)
    path = folder / "spec.yaml"
    path.write_text(SPEC.format(**(PLAIN | changes)))
    return path


def both(folder: Path, **changes: str):
    """A case run one after the other and at once."""
    path = written(folder, **changes)
    return ran(path, folder / "turn"), ran(path, folder / "once", "cv.execution=vectorized")


def told(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("time", "plan")} for line in lines]


def alike(one: object, other: object) -> bool:
    """Equal, numbers to a relative 1e-4 or an absolute 1e-6."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-6)
    return one == other


LINEAR = "{torch.nn.Linear: {out_features: 3}}"
QUICK = {
    "AdamW, decay on matrices, clipped", "momentum, a schedule with warm-up", "batch normalisation",
    "early stopping at another epoch in each fold", "folds of other numbers of batches",
}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(changes, id=name, marks=() if name in QUICK else pytest.mark.slow)
        for name, changes in CASES.items()
    ],
)
def test_s47_folds_at_once_tell_what_folds_in_turn_tell(tmp_path, changes):
    """Events, weights, predictions: everything that is on file, to a relative 1e-4."""
    turn, once = both(tmp_path / "case", **changes)
    assert turn.status == once.status == "completed"
    different = [pair for pair in zip(told(turn.folder), told(once.folder), strict=True) if not alike(*pair)]
    assert different == []
    for fold in turn.results.cv.facts:
        file = f"checkpoints/fold-{fold.index}/final/weights.safetensors"
        weights, others = load_file(turn.folder / file), load_file(once.folder / file)
        assert list(weights) == list(others)
        assert all(np.allclose(weights[name], others[name], rtol=1e-4, atol=1e-5) for name in weights)
    lines = [pq.read_table(each.folder / "predictions/out_of_fold.parquet").to_pylist() for each in (turn, once)]
    assert alike(*lines)


def test_s39_a_checkpoint_of_one_fold_holds_its_own_optimizer(tmp_path):
    turn, once = both(tmp_path / "case", more="checkpoints: {at: epoch_end}", optimizer="{use: adamw}")
    folders = [each.folder / "checkpoints/fold-2/train/epoch-0001" for each in (turn, once)]
    for file in ("weights.safetensors", "optimizer.safetensors"):
        one, other = (load_file(folder / file) for folder in folders)
        assert list(one) == list(other)
        assert all(np.allclose(one[name], other[name], rtol=1e-3, atol=1e-6) for name in one)
    assert len({(once.folder / f"checkpoints/fold-{fold}/train/epoch-0001").exists() for fold in range(4)}) == 1


@pytest.mark.slow
def test_s47_phases_follow_each_other_though_folds_leave_the_first_at_other_epochs(tmp_path):
    path = written(tmp_path / "case", **CASES["early stopping at another epoch in each fold"])
    text = path.read_text()
    more = "  tune: {kind: train, epochs: 3, losses: [ce], optimizer: {use: sgd, with: {lr: 0.01, momentum: 0.5}}}\n"
    path.write_text(text.replace("  score:", f"{more}  score:"))
    turn, once = ran(path, path.parent / "turn"), ran(path, path.parent / "once", "cv.execution=vectorized")
    lengths = {line["n_epochs"] for line in told(turn.folder) if line["event"] == "PhaseFinished" and line["n_epochs"]}
    assert len(lengths) > 1
    assert [pair for pair in zip(told(turn.folder), told(once.folder), strict=True) if not alike(*pair)] == []


class _Asking:
    """Calls at the first event of a type."""

    def __init__(self, kind, ask):
        self.wants = frozenset({kind})
        self.seen = []
        self._ask = ask

    def receive(self, stamped):
        self.seen.append(stamped.event)
        self._ask()

    def close(self):
        pass


def test_a_signal_ends_all_folds_after_the_batch(tmp_path):
    control = Control()
    path = written(tmp_path / "case", length="epochs: 2000", patience="9999")
    asking = _Asking(PhaseStarted, lambda: control.interrupt("SIGINT"))
    finished = ran(path, tmp_path / "run", "cv.execution=vectorized", watch=lambda live: [asking], control=control)
    assert (finished.status, finished.finished.error) == ("interrupted", "SIGINT")
    assert {facts.status for facts in finished.results.cv.facts} == {"interrupted"}


def test_batches_are_told_with_their_own_numbers(tmp_path):
    """As to a sink that asks for every batch."""
    path, seen = written(tmp_path / "case", length="epochs: 2"), []
    for name in ("sequential", "vectorized"):
        asking = _Asking(BatchFinished, lambda: None)
        ran(path, tmp_path / name, f"cv.execution={name}", watch=lambda live, asking=asking: [asking])
        seen.append([(event.phase, event.epoch, event.batch, dict(event.losses)) for event in asking.seen])
    assert len(seen[0]) == 4 * 2 * 5
    assert [pair for pair in zip(*seen, strict=True) if not alike(list(pair[0]), list(pair[1]))] == []


def test_a_fold_whose_loss_is_lost_fails_alone(tmp_path):
    """S-51; its optimizer and its norms are its own."""
    path = written(
        tmp_path / "case", cv="{data: {t: {column: fold, val_size: 0.2}}}", more="clip: {norm: 1.0}", layers=LINEAR
    )
    table = path.parent / "table.csv"
    first, *lines = table.read_text().splitlines()
    table.write_text("\n".join([first, *(_spoilt(line) for line in lines)]))
    path.write_text(path.read_text().replace("[{on: x, use: standard_scaler}]", "[]"))
    finished = ran(path, tmp_path / "run", "cv.execution=vectorized")
    assert finished.status == "failed"
    assert [facts.status for facts in finished.results.cv.facts] == ["failed"] * 3 + ["completed"]


OWN = """\
import torch


class Noisy(torch.nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x) if self.training else x


class Choosy(torch.nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Fine(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(3))

    def forward(self, x):
        return x * self.scale


class Looks:
    def on_batch_end(self, view):
        pass
"""


@pytest.mark.parametrize(
    ("name", "place", "said"),
    [
        ("Noisy", "nodes.net", "it draws random numbers"),
        ("Choosy", "nodes.net", "it decides by the numbers of its rows"),
        ("Looks", "callbacks.looks", "`looks` has `on_batch_end`"),
        ("Fine", "", ""),
    ],
)
def test_code_of_yours_that_needs_one_fold_is_refused_before_anything_runs(tmp_path, monkeypatch, name, place, said):
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    layers = PLAIN["layers"] if name == "Looks" else f"{{mine.{name}: {{}}}}, {PLAIN['layers']}"
    path = written(tmp_path, layers=layers, patience="3")
    (tmp_path / "mine.py").write_text(OWN)
    text = path.read_text().replace("seed: 3\n", "seed: 3\nimports: [mine]\n")
    if name == "Looks":
        text = text.replace("[validate, stop]", "[validate, stop, looks]")
        text = text.replace("callbacks:\n", "callbacks:\n  looks: {use: mine.Looks}\n", 1)
    path.write_text(text)
    if not said:
        turn, once = ran(path, tmp_path / "turn"), ran(path, tmp_path / "once", "cv.execution=vectorized")
        assert [pair for pair in zip(told(turn.folder), told(once.folder), strict=True) if not alike(*pair)] == []
        return
    with pytest.raises(SpecError) as refused:
        ran(path, tmp_path / "run", "cv.execution=vectorized")
    assert [(one.code, one.path) for one in refused.value.diagnostics] == [("not-vectorizable", place)]
    assert said in refused.value.diagnostics[0].message
    assert not (tmp_path / "run").exists()


def test_folds_whose_networks_differ_say_so(tmp_path):
    """A transform that learns other columns from each fold's rows gives networks of other shapes."""
    path = written(tmp_path / "case", cv="{data: {t: {column: fold, val_size: 0.2}}}")
    transforms = "[{on: x, use: one_hot_encoder, with: {handle_unknown: ignore}}]"
    text = path.read_text().replace("[{on: x, use: standard_scaler}]", transforms)
    path.write_text(text.replace("features: {x: [x0, x1, x2]}", "features: {x: word}"))
    finished = ran(path, tmp_path / "run", "cv.execution=vectorized")
    assert finished.status == "failed"
    assert "has another shape in each of them" in finished.finished.error


def _spoilt(line: str) -> str:
    """Numbers that overflow, in rows that fold 3 alone does not learn from."""
    cells = line.split(",")
    return ",".join([cells[0], "3e38", "3e38", "3e38", *cells[4:]]) if cells[8] == "3" else line
