"""What a graph must know of the data it was built on: columns, shapes and types of keys, classes, ranges of codes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from runexp.plan.data import DataPlan
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.fitted import Fitted
from runexp.runtime.data.gathering import Gathered
from runexp.runtime.data.table import Array
from runexp.runtime.data.tokenizer import Tokenizer
from runexp.runtime.data.transforms import Transformed
from runexp.runtime.data.windows import Windowing

Facts = Mapping[str, Any]
"""Plain JSON data: by feature set, `keys` by name and how its rows are seen."""

Transformers = Callable[[str, str, int], Any]
"""Gives the n-th transformer of a key of a feature set."""


def facts_of(sets: Iterable[FeatureSet]) -> dict[str, Any]:
    """The facts of some feature sets."""
    return {
        features.name: {
            "seen_through": "windows" if features.windows else "tokens" if features.tokenizer else "",
            "keys": {name: _of_key(features, name) for name in features.keys},
        }
        for features in sets
    }


def stand_in(
    plan: DataPlan, facts: Facts, transformers: Transformers, tokenizer: Tokenizer | None = None
) -> FeatureSet:
    """Two samples in the place of a feature set that is not here: shapes, types, classes and ranges are those it had.

    A sample is a row, or a window over rows.
    """
    keys = facts[plan.name]["keys"]
    n_rows = 2 if plan.windows is None else plan.windows.reach + 1
    windows = None if plan.windows is None else Windowing(plan.windows, np.arange(n_rows))
    gathered: dict[str, Gathered] = {}
    transforms: dict[str, Transformed] = {}
    plans = transformed_by(plan)
    for name, told in keys.items():
        raw = _rows(told["raw"], n_rows)
        gathered[name] = Gathered(plan.key(name), raw, raw, tuple(told["classes"]), 0)
        if told["steps"]:
            steps = tuple(
                Fitted(
                    transformers(plan.name, name, index),
                    plans[name][index],
                    tuple(step["shape_in"]),
                    tuple(step["shape_out"]),
                    step["is_shared"],
                )
                for index, step in enumerate(told["steps"])
            )
            transforms[name] = Transformed(_rows(told["transformed"], n_rows), steps)
    columns = {name: tuple(told["columns"]) for name, told in keys.items()}
    return FeatureSet(plan.name, np.arange(n_rows), {}, "", gathered, transforms, tokenizer, windows, columns=columns)


def transformed_by(plan: DataPlan) -> dict[str, list[Any]]:
    """By key, the transforms it goes through, in order."""
    found: dict[str, list[Any]] = {}
    for transform in plan.transforms:
        for name in transform.gives:
            found.setdefault(name, []).append(transform)
    return found


def _of_key(features: FeatureSet, name: str) -> dict[str, Any]:
    gathered = features.gathered[name]
    transformed = features.transforms.get(name)
    steps = transformed.steps if transformed else ()
    return {
        "domain": gathered.key.domain,
        "columns": list(features.columns.get(name, ())),
        "raw": _of_array(gathered.raw),
        "classes": list(gathered.classes),
        "transformed": _of_array(transformed.values) if transformed else None,
        "steps": [
            {"shape_in": list(step.shape_in), "shape_out": list(step.shape_out), "is_shared": step.is_shared}
            for step in steps
        ],
    }


def _of_array(values: Array) -> dict[str, Any]:
    """Shape and type of a row; of codes also the least and the largest."""
    found: dict[str, Any] = {"shape": list(values.shape[1:]), "dtype": values.dtype.str, "low": 0, "high": 0}
    if values.dtype.kind in "iu" and values.size:
        found |= {"low": int(values.min()), "high": int(values.max())}
    return found


def _rows(told: Mapping[str, Any], n_rows: int) -> Array:
    """(n_rows, *shape): the least and the largest by turns."""
    shape = tuple(told["shape"])
    dtype = np.dtype(told["dtype"])
    if dtype.kind not in "biuf":
        return np.zeros((n_rows, *shape), "U1" if dtype.kind in "UO" else dtype)
    low, high = np.full(math.prod(shape), told["low"]), np.full(math.prod(shape), told["high"])
    both = np.stack([low, high]).reshape(2, *shape).astype(dtype)
    return both[np.arange(n_rows) % 2]
