"""A loaded model as one torch module: columns as they are read go in, outputs in the target's own units come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from torch import Tensor, nn

from runexp.plan.graph import Feed, NodePlan
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.fitted import Fitted
from runexp.runtime.model.model import Model
from runexp.runtime.model.problems import CannotLoad

Side = Literal["raw", "transformed"]
"""Whether a network takes rows as they are read, or as the transforms of the data leave them."""

_AFFINE = (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)
N_ROWS = 4  # of the example: torch.export takes a size of 1 for a fact


@dataclass(frozen=True, slots=True)
class Entry:
    """What a network takes: `name` is `<data>.<key>`, and the role where rows are compared; `example` (4, *shape) rows
    or windows of it."""

    name: str
    columns: tuple[str, ...]
    example: Tensor


class Network(nn.Module):
    """The torch part of a model, from what it reads to the outputs of its nodes.

    Called with a tensor (N, *shape) for each of `entries`, gives a tuple with one for each of `outputs`.
    """

    def __init__(self, model: Model, side: Side) -> None:
        """`CannotLoad` where something on the way is no torch module, nor a transform that scales and shifts."""
        super().__init__()
        plans = model.needed(model.outputs)
        _check_modules(model, plans)
        read = [(role, name, key) for (role, name), keys in model.wanted(model.outputs).items() for key in keys]
        self.outputs = model.outputs
        self.entries = tuple(_entry(model.references[name], key, role, side) for role, name, key in read)
        self._feeds = {plan.name: plan.feeds for plan in plans}
        self._calls = {plan.name: model.graph.call_of(plan.name) for plan in plans}
        self.nodes = nn.ModuleList(model.graph.modules[plan.name] for plan in plans if plan.name in model.graph.modules)
        self._slots = {place: index for index, place in enumerate(read)}
        self.before = nn.ModuleList(_scaling(model.references[name], key, side) for _, name, key in read)
        self.after = nn.ModuleList(_way_back(model, node) for node in self.outputs)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """(N, *shape) for each entry → (N, *shape) for each output."""
        read = [scale(one) for scale, one in zip(self.before, inputs, strict=True)]
        known: dict[tuple[str, str], Any] = {}

        def value(feed: Feed, role: str) -> Any:  # noqa: ANN401 - a tensor, or several of a module with several outputs
            own = feed.role or role
            return output(feed.name, own) if feed.source == "node" else read[self._slots[own, feed.name, feed.key]]

        def output(name: str, role: str) -> Any:  # noqa: ANN401
            if (name, role) not in known:
                feeds = self._feeds[name]
                positional = [value(feed, role) for feed in feeds if not feed.argument]
                named = {feed.argument: value(feed, role) for feed in feeds if feed.argument}
                known[name, role] = self._calls[name](*positional, **named)
            return known[name, role]

        return tuple(back(output(node, "")) for node, back in zip(self.outputs, self.after, strict=True))


class _Scaled(nn.Module):
    """x * factor + shift, elementwise over a row, in double precision, then in `dtype`."""

    factor: Tensor
    shift: Tensor

    def __init__(self, factor: Tensor, shift: Tensor, shape: Sequence[int], dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("factor", factor.reshape(tuple(shape)))
        self.register_buffer("shift", shift.reshape(tuple(shape)))
        self._dtype = dtype

    def forward(self, rows: Tensor) -> Tensor:
        """(N, *shape) → (N, *shape)."""
        return (rows.double() * self.factor + self.shift).to(self._dtype)


class _As(nn.Module):
    """The rows as they are, in the type that the graph reads."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def forward(self, rows: Tensor) -> Tensor:
        """(N, *shape) → (N, *shape)."""
        return rows.to(self._dtype)


def _check_modules(model: Model, plans: Sequence[NodePlan]) -> None:
    estimators = [plan.name for plan in plans if plan.is_estimator]
    if estimators:
        raise CannotLoad(
            f"`{estimators[0]}` is a scikit-learn estimator, which a network cannot hold: `--format bundle` keeps all"
            " of the model, `--format skops` the estimators"
        )


def _entry(features: FeatureSet, key: str, role: str, side: Side) -> Entry:
    rows = _as_read(features, key) if side == "raw" else features.tensor(key, torch.device("cpu"))
    columns = features.columns.get(key, ()) if side == "raw" else ()
    example = rows[:2].repeat(N_ROWS // 2, *[1] * (rows.ndim - 1))
    if example.is_floating_point():  # codes of classes stay codes
        example = torch.randn(example.shape, dtype=example.dtype, generator=torch.Generator().manual_seed(0))
    return Entry(".".join(filter(None, (features.name, key, role))), tuple(columns), example)


def _as_read(features: FeatureSet, key: str) -> Tensor:
    """Rows before any transform: numbers that are transformed come in double precision, as in training."""
    raw = torch.as_tensor(features.gathered[key].raw)
    rows = raw if features.windows is None else features.windows.tensor(key, raw)
    return rows.double() if rows.is_floating_point() and key in features.transforms else rows


def _scaling(features: FeatureSet, key: str, side: Side) -> nn.Module:
    dtype = features.tensor(key, torch.device("cpu")).dtype
    steps = features.transforms[key].steps if key in features.transforms and side == "raw" else ()
    if not steps:
        return _As(dtype)
    shape = steps[0].shape_in
    rows_last = features.windows is not None and key in features.windows.plan.rows_last
    return _Scaled(*_composed(steps, f"{features.name}.{key}"), (*shape, 1) if rows_last else shape, dtype)


def _way_back(model: Model, node: str) -> nn.Module:
    """From what a node gives to the units its target was read in, where that is a scale and a shift."""
    target = model.scaled_target(node)
    if target is None:
        return nn.Identity()
    name, steps = target
    factor, shift = _composed(steps, name)
    return _Scaled(1 / factor, -shift / factor, steps[0].shape_in, torch.float32)


def _composed(steps: Sequence[Fitted], name: str) -> tuple[Tensor, Tensor]:
    """Factor and shift (width,) of transforms one after the other, float64."""
    width = int(np.prod(steps[0].shape_in))
    factor, shift = np.ones(width), np.zeros(width)
    for step in steps:
        kind = type(step.transformer)
        if kind not in _AFFINE or step.is_shared or getattr(step.transformer, "clip", False):
            raise CannotLoad(
                f"`{name}` goes through {kind.__name__}, which a network cannot hold: `--inputs transformed` exports"
                " the network alone, `--format bundle` all of the model"
            )
        zero, one = step.transformer.transform(np.stack([np.zeros(width), np.ones(width)]))
        factor, shift = factor * (one - zero), shift * (one - zero) + zero
    return torch.as_tensor(factor), torch.as_tensor(shift)
