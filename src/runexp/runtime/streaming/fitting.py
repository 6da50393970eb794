"""Estimators fitted while the rows of a split stream by, by their `partial_fit`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from runexp.plan.lanes import BatchPlan
from runexp.plan.phases import FitPlan
from runexp.runtime.columns import Columns
from runexp.runtime.data.problems import wrong
from runexp.runtime.data.table import Array
from runexp.runtime.graph.estimators import as_matrix, make_estimator
from runexp.runtime.graph.forward import Forward, Slot, slot_of
from runexp.runtime.graph.graph import Graph
from runexp.runtime.streaming.column import StreamedColumn
from runexp.runtime.streaming.drawing import StreamBatcher

_FIT_ROWS = 16_384  # given at once, and more the last time: some estimators need more rows than they give columns


def fit_on_stream(plan: FitPlan, name: str, graph: Graph, columns: Columns, seed: int) -> Any:  # noqa: ANN401
    """The estimator of a node, fitted on one pass over the rows of the phase, in an order known from the seed."""
    node = graph.plans[name]
    estimator: Any = make_estimator(node, seed)
    if not callable(getattr(estimator, "partial_fit", None)):
        message = f"`{plan.label}` fits `{name}` on all rows at once, and its rows are streamed"
        raise wrong(node.origin, "not-streamed", message, hint="`stream: false` holds all rows in memory")
    target = plan.targets.get(name)
    wanted: list[Slot] = [slot_of(feed) for feed in node.feeds]
    learned: list[Slot] = [("data", *target)] if target else []
    forward = Forward(graph, plan.runs[: plan.runs.index(name)])
    forward.add_columns([*wanted, *learned])
    drawn = [columns.drawn(slot) for slot in forward.columns]
    streamed = [column for column in drawn if isinstance(column, StreamedColumn)]
    batcher = StreamBatcher(streamed, BatchPlan(_FIT_ROWS, shuffle=True, drop_last=False), seed, plan.label)
    options = _classes(estimator, columns.drawn(learned[0])) if learned else {}
    for block in _blocks(batcher.draw(0)):
        with torch.no_grad():
            values = forward(block)
        inputs = as_matrix([values[forward.slot(slot)] for slot in wanted])
        estimator.partial_fit(inputs, *[_array(values[forward.slot(slot)]) for slot in learned], **options)
    return estimator


def _classes(estimator: Any, target: Any) -> dict[str, Array]:  # noqa: ANN401 - any estimator
    """The classes there are, for a classifier that has to know them before it sees them: a pass of its own."""
    if "classes" not in inspect.signature(estimator.partial_fit).parameters:
        return {}
    found: Array = np.empty(0)
    for part in target.parts():
        found = np.union1d(found, _array(part)).astype(_array(part).dtype)
    return {"classes": found}


def _blocks(batches: Iterator[tuple[Tensor, ...]]) -> Iterator[tuple[Tensor, ...]]:
    """The batches, the last two of them together."""
    before = next(batches)
    waiting: tuple[Tensor, ...] | None = None
    for batch in batches:
        if waiting is not None:
            yield before
            before = waiting
        waiting = batch
    yield before if waiting is None else tuple(map(torch.cat, zip(before, waiting, strict=True)))


def _array(values: Tensor) -> Array:
    return np.asarray(values.cpu())
