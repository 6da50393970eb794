"""A loss's label is the name its numbers have."""

from __future__ import annotations

from runexp.api.checking import check
from runexp.api.running import Place, run

SPEC = """\
runexp: 1
name: labelled
seed: 3
execution: {device: cpu, threads: 1}
data:
  iris:
    source: sklearn.datasets.load_iris
    features: {x: "*(cm)"}
    targets: {kind: target}
    splits: {train: 0.7, val: 0.3}
nodes:
  head: {inputs: iris.x, use: torch.nn.Linear, with: {out_features: 3}}
losses:
  ce: {node: head, use: cross_entropy%s}
phases:
  train:
    kind: train
    epochs: 2
    losses: [ce]
    %s
    callbacks: [{use: evaluation, split: val}, {use: early_stopping, monitor: val_%s, patience: 1}]
    checkpoints: {monitor: val_%s}
  test: {kind: eval, split: val, losses: [ce]}
"""
ONE = "optimizer: {use: adam}"
TURNS = "optimizers: {all: {use: adam, nodes: [head], losses: [ce]}}"


def summary_of(folder, *parts):
    folder.mkdir()
    (folder / "spec.yaml").write_text(SPEC % parts)
    return run(check(folder / "spec.yaml"), Place(at=folder / "run"), watch=lambda live: ()).results.summary()


def test_everything_that_is_told_of_a_loss_has_its_label_and_is_otherwise_the_same(tmp_path):
    """S-16: losses, monitors and checkpoints, with one optimizer and with several."""
    for place, optimizer in (("one", ONE), ("turns", TURNS)):
        plain = summary_of(tmp_path / f"{place}-plain", "", optimizer, "ce", "ce")
        told = summary_of(tmp_path / f"{place}-told", ", label: surprise", optimizer, "surprise", "surprise")
        assert {"train_surprise", "val_surprise"} <= set(told["train"])
        assert "surprise" in told["test"]
        named = {
            phase: {name.replace("ce", "surprise"): value for name, value in numbers.items()}
            for phase, numbers in plain.items()
        }
        assert told == named
