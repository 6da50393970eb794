"""What nodes say of rows, as columns of a table: in a target's own units, classes by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from torch import Tensor

from runexp.plan.graph import Decision, LossPlan, MetricPlan, Route
from runexp.plan.phases import EvalPlan
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.table import Array
from runexp.runtime.metrics import predictions

_OF_CLASSES = ("argmax", "logit", "probability")


@dataclass(frozen=True, slots=True)
class Judged:
    """What an evaluation judges: a node, or one of its outputs, in one of its roles; how its classes follow from it,
    and the target, (feature set, key), that it is compared with."""

    name: str
    role: str
    decision: Decision
    target: tuple[str, str] | None

    @property
    def column(self) -> str:
        """What its columns are called."""
        return f"{self.name}.{self.role}" if self.role else self.name


def judged_by(evaluation: EvalPlan) -> tuple[Judged, ...]:
    """Everything that an evaluation judges, once each; classes and targets are those of the first that has any."""
    items: dict[tuple[str, str], list[LossPlan | MetricPlan]] = {}
    judging: list[LossPlan | MetricPlan] = [*evaluation.losses, *evaluation.metrics]
    for item in judging:
        for route in _judged_routes(item.routes):
            items.setdefault((route.name, route.role), []).append(item)
    return tuple(Judged(*called, _decision(mine), _target(mine)) for called, mine in items.items())


def said(item: Judged, features: FeatureSet | None, output: Tensor) -> dict[str, Any]:
    """The columns of predictions (N, …): a class and the chances of classes where a node decides between them, else its
    values, in the units of the target, of the feature set `features`, where there is a way back to them."""
    key = item.target[1] if item.target and features else ""
    if item.decision == "each_step":
        return {
            f"{item.column}.class": listed(
                predictions(_by_step(output), "labels", item.decision).reshape(_rows(output))
            )
        }
    if item.decision not in _OF_CLASSES or output.ndim > 2:
        values = np.asarray(output.cpu())
        if features is None or not key:
            return {item.column: listed(values)}
        if _are_codes(features, key, values):
            return {f"{item.column}.class": named(features, key, values.astype(np.int64))}
        return {item.column: listed(own_units(features, key, values))}
    labels = predictions(output, "labels", item.decision).reshape(len(output), -1)
    chances = predictions(output, "probabilities", item.decision).reshape(len(output), -1)
    word = "probability" if chances.shape[1] == 1 else "probabilities"
    return {
        f"{item.column}.class": named(features, key, labels) if features and key else listed(labels),
        f"{item.column}.{word}": listed(chances.astype(np.float32)),
    }


def own_units(features: FeatureSet, key: str, values: Array) -> Array:
    """Predictions of a transformed target as it was read, where there is a way back."""
    is_like = values[:1].size == int(np.prod(features.shape_of(key)))
    if key not in features.transforms or not features.can_go_back(key) or not is_like:
        return values
    return features.inverse(key, values)


def named(features: FeatureSet, key: str, codes: Array) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Codes as the words they stand for, where they stand for any."""
    names = features.classes(key)
    if not names or codes.dtype.kind not in "iu":
        return listed(codes)
    words = np.asarray(names)[np.clip(codes, 0, len(names) - 1)]
    return listed(words)


def listed(values: Array) -> Any:  # noqa: ANN401 - pyarrow has no types
    """A value a row, or a flat list a row."""
    flat = values.reshape(len(values), -1)
    if flat.shape[1] == 1:
        return pa.array(flat[:, 0])
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), flat.shape[1]).cast(
        pa.list_(pa.array(flat.ravel()[:1]).type)
    )


def shaped(values: Array) -> Any:  # noqa: ANN401 - pyarrow has no types
    """A number a row, or a tensor a row, whose shape Parquet files keep."""
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(values))


def targets_of(judged: Sequence[Judged], sets: Mapping[str, FeatureSet]) -> Iterator[tuple[str, str]]:
    """The targets, (feature set, key), that something is compared with; features and tags are none."""
    for target in dict.fromkeys(item.target for item in judged if item.target):
        if sets[target[0]].domain_of(target[1]) == "targets":
            yield target


def _judged_routes(routes: Sequence[Route]) -> list[Route]:
    """The nodes that a loss or metric judges: of several inputs without roles the first, or `input`."""
    given = [route for route in routes if route.source == "node"]
    roles = [route for route in given if route.role]
    return roles or [route for route in given if route.argument in ("", "input")][:1] or given[:1]


def _decision(items: Sequence[LossPlan | MetricPlan]) -> Decision:
    return next((item.decision for item in items if item.decision != "as_is"), "as_is")


def _target(items: Sequence[LossPlan | MetricPlan]) -> tuple[str, str] | None:
    """The key that a node is compared with."""
    for item in items:
        routes = [route for route in item.routes if route.source == "data" and route.argument in ("", "target")]
        if routes:
            return routes[0].name, routes[0].key
    return None


def _by_step(output: Tensor) -> Tensor:
    return output.flatten(0, -2)


def _rows(output: Tensor) -> tuple[int, int]:
    return len(output), -1


def _are_codes(features: FeatureSet, key: str, values: Array) -> bool:
    """Whether an estimator gives classes themselves: whole numbers, of a target whose classes have names."""
    return bool(features.classes(key)) and values.ndim < 3 and bool((values == np.round(values)).all())
