"""Plans for the fake runtime, from the text of their phases."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import fields
from textwrap import indent
from typing import Any

from runexp.api.checking import check
from runexp.events import Event
from runexp.plan.experiment import Plan

BASE = """
runexp: 1
name: story
seed: 1
data:
  iris:
    source: sklearn.datasets.load_iris
    features: {flower: ["sepal *", "petal *"]}
    targets: {species: target}
    splits: {train: 0.6, val: 0.2, test: 0.2}
nodes:
  pca: {inputs: iris.flower, use: sklearn.decomposition.PCA, with: {n_components: 2}}
  net: {inputs: iris.flower, use: torch.nn.Linear, with: {out_features: 3}}
losses:
  ce: {node: net, use: cross_entropy}
callbacks:
  validate: {use: evaluation, split: val, metrics: [accuracy]}
  stop: {use: early_stopping, monitor: val_loss, patience: 2, restore_best: true}
phases:
"""
TRAIN = "kind: train, batches: {size: 2}, losses: [ce], optimizer: {use: sgd, with: {lr: 0.5}}"


def plan_of(phases: str) -> Plan:
    """The plan of some phases, written in YAML; `TRAIN` in it stands for what every train phase needs."""
    text = BASE + indent(phases.replace("TRAIN", TRAIN), "  ")
    checked = check("-", stdin=text.encode())
    assert checked.plan is not None, [(found.code, found.message) for found in checked.diagnostics]
    return checked.plan


def written(events: Iterable[Event]) -> str:
    """One line an event."""
    return "".join(f"{_line(event)}\n" for event in events)


def _line(event: Event) -> str:
    values = {field.name: getattr(event, field.name) for field in fields(event) if field.name != "plan"}
    shown = [f"{name}={_shown(value)}" for name, value in values.items() if value not in ("", ())]
    return " ".join([type(event).__name__, *shown])


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if hasattr(value, "items"):
        return "{" + " ".join(f"{key}:{_shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return str(value)
    return "[" + " ".join(_shown(item) for item in value) + "]"


UPDATES = os.environ.get("RUNEXP_UPDATE_GOLDEN") == "1"
