"""What became of a run after its end, as its folder tells: its model in a registry, and who was told of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def aftermath_of(registered: Mapping[str, Any], tracking: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """A label and a text for each fact; nothing for what the files do not tell."""
    return (*_model(registered), *_trackers(tracking))


def _model(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    reasons = told.get("reasons")
    if not told.get("name") or not isinstance(reasons, list):
        return
    if reasons:
        yield "model", f"not registered as {told['name']}: {'; '.join(map(str, reasons))}"
        return
    alias = f" ({told['alias']})" if told.get("alias") else ""
    where = "MLflow" if told.get("registry") == "mlflow" else "the folder of runs"
    yield "model", f"{told['name']}, version {told.get('version')}{alias}, in the registry of {where}"


def _trackers(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    states = {name: one for name, one in told.items() if isinstance(one, Mapping)}
    texts = [
        name if one.get("complete") else f"{name} (incomplete: {one.get('problem')})" for name, one in states.items()
    ]
    if texts:
        yield "tracked by", ", ".join(texts)
