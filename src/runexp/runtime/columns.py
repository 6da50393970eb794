"""The columns a phase draws from: rows of one split, estimators run beforehand, targets made to fit their losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from runexp.diagnostics import Diagnostic, SpecError, did_you_mean
from runexp.plan.graph import Route
from runexp.plan.values import Origin
from runexp.runtime.data import FeatureSet
from runexp.runtime.graph.forward import Slot, slot_of
from runexp.runtime.graph.graph import Graph
from runexp.runtime.units import OriginalUnits


class Columns:
    """The rows of one split of one or more feature sets, aligned by position.

    `hoisted` are the nodes that are estimators fed by data alone: they run once over all rows, not once a batch.
    """

    def __init__(
        self, graph: Graph, sets: Mapping[str, FeatureSet], split: str, used: Sequence[str], origin: Origin
    ) -> None:
        self._graph = graph
        self._sets = sets
        self._rows = {name: _rows(sets[name], split, origin) for name in used}
        _check_aligned(sets, self._rows, split, origin)
        self._device = torch.device("cpu")
        self._batch_size = 0
        self._made: dict[Slot, Tensor] = {}

    def holds_words(self, route: Route) -> bool:
        """Whether a column holds numbers that stand for words."""
        return route.source == "data" and bool(self._sets[route.name].classes(route.key))

    @property
    def n_rows(self) -> int:
        """How many rows the split has."""
        return len(next(iter(self._rows.values())))

    def on(self, device: torch.device) -> Columns:
        """The same columns on a device."""
        self._device = device
        return self

    def in_batches_of(self, size: int) -> Columns:
        """The same columns, said to come in batches of some rows."""
        self._batch_size = size
        return self

    def shape(self, value: Tensor) -> str:
        """The shape of a batch like `value`, for a message: `(64, 10)`, or `(rows, 10)` where no size is known."""
        if not value.ndim:
            return "()"
        sizes = [str(self._batch_size or "rows"), *map(str, value.shape[1:])]
        return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"

    def called(self, route: Route) -> str:
        """What a spec calls an input of a loss or metric: `targets.label`, or `head.outputs`."""
        if route.source == "node":
            return str(route)
        return f"{self._sets[route.name].domain_of(route.key)}.{route.key}"

    def original_units(self, routes: Sequence[Route]) -> OriginalUnits | None:
        """The first target among `routes`, as it was read; None where there is none."""
        for route in routes:
            if route.source == "data" and self._sets[route.name].domain_of(route.key) == "targets":
                features = self._sets[route.name]
                return OriginalUnits(features, route.key, features.raw(route.key)[self._rows[route.name].numpy()])
        return None

    def hoisted(self, nodes: Sequence[str]) -> tuple[str, ...]:
        """The estimators among `nodes` that depend on data and on each other only."""
        constant: list[str] = []
        for name in nodes:
            plan = self._graph.plans[name]
            ready = all(feed.source == "data" or feed.name in constant for feed in plan.feeds)
            if plan.is_estimator and ready:
                constant.append(name)
        return tuple(constant)

    def column(self, slot: Slot) -> Tensor:
        """All rows of one column, on the device."""
        if slot not in self._made:
            self._made[slot] = self._compute(slot) if slot[0] == "node" else self._take(slot)
        return self._made[slot]

    def put(self, slot: Slot, made: Tensor) -> None:
        """Keep a column that was made from others, under a slot of its own."""
        self._made[slot] = made

    def _take(self, slot: Slot) -> Tensor:
        whole = self._sets[slot[1]].tensor(slot[2], self._device)
        rows = self._rows[slot[1]].to(self._device)
        return whole if len(rows) == len(whole) and _is_identity(rows) else whole.index_select(0, rows)

    def _compute(self, slot: Slot) -> Tensor:
        plan = self._graph.plans[slot[1]]
        inputs = [self.column(slot_of(feed)) for feed in plan.feeds]
        return self._graph.call_of(plan.name)(*inputs)


def route_slot(route: Route) -> Slot:
    """The slot a loss or metric reads."""
    return ("data", route.name, route.key) if route.source == "data" else ("node", route.name, "")


def _rows(features: FeatureSet, split: str, origin: Origin) -> Tensor:
    if split not in features.splits:
        found = Diagnostic(
            code="unknown-split",
            message=f"the feature set `{features.name}` has no split `{split}`",
            span=origin.span,
            help=did_you_mean(split, features.splits, kind="splits"),
            path=origin.path,
        )
        raise SpecError([found])
    return torch.from_numpy(features.splits[split])


def _check_aligned(sets: Mapping[str, FeatureSet], rows: Mapping[str, Tensor], split: str, origin: Origin) -> None:
    """Sets used side by side must have the same rows, by their ids, in the same order."""
    counts = {name: len(found) for name, found in rows.items()}
    written = ", ".join(f"`{name}` {count}" for name, count in counts.items())
    ids = [sets[name].ids[found.numpy()] for name, found in rows.items()]
    if len(set(counts.values())) > 1:
        message = f"feature sets used side by side need equally many rows in `{split}`: {written}"
    elif any(list(other) != list(ids[0]) for other in ids[1:]):
        message = f"feature sets used side by side need the same rows in `{split}`: the ids of {written} differ"
    else:
        return
    hint = (
        "divide them by the same column or shares, and give both the tag `id` where their rows stand in another order"
    )
    raise SpecError([Diagnostic("unaligned-data", message, origin.span, help=hint, path=origin.path)])


def _is_identity(rows: Tensor) -> bool:
    return bool((rows == torch.arange(len(rows))).all())
