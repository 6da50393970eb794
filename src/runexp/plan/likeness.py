"""Plans that can be trained at once: what they have to have in common, and what they may differ in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runexp.plan.experiment import Plan, dump

INSTEAD: Mapping[str, str] = {
    "folds": "`cv: {execution: processes}` trains the folds side by side",
    "trials": "`sweep: {execution: processes}` runs the trials side by side",
    "repeats": "`--execution processes` runs the repeats side by side",
}
"""What is trained at once, and how to do without."""

AT_ONCE = 16
"""How many trials train at once, unless a number is said."""

_OWN = frozenset({"callbacks", "n_epochs", "n_steps", "optimizer", "schedule"})
"""Parts of a train phase whose numbers each program has for itself."""
_OWN_OF_LOSS = frozenset({"curve", "weight"})


def likeness(plan: Plan) -> str:
    """The same for plans that differ in nothing but numbers each of them can have for itself: the seed, those of an
    optimizer and its schedule, weights of losses, lengths, numbers of callbacks.

    Layers, data, rows a batch, functions of losses and everything that is a word have to be the same.
    """
    bare = replace(plan, name="", description="", seed=0, sweep=None, tracking=None, register=None)
    text = json.dumps(_without_own(dump(bare)), sort_keys=True, allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _without_own(value: Any) -> Any:  # noqa: ANN401 - plain JSON data
    if isinstance(value, list):
        return [_without_own(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_phase, is_loss = value.get("kind_of") == "TrainPlan", value.get("kind_of") == "LossPlan"
    kept: dict[str, Any] = {}
    for key, item in value.items():
        if is_phase and key in _OWN:
            kept[key] = _without_numbers(item)
        elif key != "origin" and not (is_loss and key in _OWN_OF_LOSS):
            kept[key] = _without_own(item)
    return kept


def _without_numbers(value: Any) -> Any:  # noqa: ANN401 - plain JSON data
    if isinstance(value, dict):
        return {key: _without_numbers(item) for key, item in value.items() if key != "origin"}
    if isinstance(value, list):
        return [_without_numbers(item) for item in value]
    return bool(value) if isinstance(value, (int, float)) else value
