"""The columns a phase draws from: rows of one split, estimators run beforehand, targets made to fit their losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from runexp.diagnostics import Diagnostic, SpecError, did_you_mean
from runexp.plan.graph import NodePlan, Route
from runexp.plan.lanes import Wiring
from runexp.plan.values import Origin
from runexp.runtime.alignment import aligned
from runexp.runtime.data import FeatureSet
from runexp.runtime.graph.forward import Slot, slot_of
from runexp.runtime.graph.graph import Graph
from runexp.runtime.lanes.column import Column, Held
from runexp.runtime.units import OriginalUnits

_HELD_BYTES = 1 << 26
"""A column of a split that takes no more is gathered once: batches are drawn faster from what lies together."""


class Columns:
    """The rows of one split of one or more feature sets, those of one example at the same place.

    `hoisted` are the nodes that are estimators fed by data alone: they run once over all rows, not once a batch.
    """

    def __init__(
        self, graph: Graph, sets: Mapping[str, FeatureSet], split: str, used: Sequence[str], origin: Origin
    ) -> None:
        self._graph = graph
        self._sets = sets
        self._split = split
        self._origin = origin
        self.is_streamed = any(sets[name].stream is not None for name in used)
        rows = {name: _rows(sets[name], split, origin) for name in used}
        if self.is_streamed:
            _refuse_beside(used, origin)
        self._rows = rows if self.is_streamed else aligned(sets, rows, split, origin)
        self.device = torch.device("cpu")
        self.wiring: Wiring | None = None
        self._batch_size = 0
        self._made: dict[Slot, Column] = {}

    def holds_words(self, route: Route) -> bool:
        """Whether a column holds numbers that stand for words."""
        return route.source == "data" and bool(self._sets[route.name].classes(route.key))

    @property
    def n_rows(self) -> int:
        """How many rows the split has."""
        return self._sets[next(iter(self._rows))].n_rows_of(self._split)

    def rows_by_role(self) -> Mapping[str, Mapping[str, Tensor]]:
        """The rows of every feature set, which have no roles."""
        return {"": self._rows}

    def joins_keys(self, node: str) -> bool:
        """Whether a node gives keys of the data, side by side."""
        return self._graph.plans[node].kind == "keys"

    def row_numbers(self, name: str) -> Tensor:
        """The numbers of the rows of a feature set in its source, on the device; of windows that of their first."""
        rows, windows = self._rows[name], self._sets[name].windows
        return (rows if windows is None else torch.from_numpy(windows.rows)[rows]).to(self.device)

    def on(self, device: torch.device) -> Columns:
        """The same columns on a device."""
        self.device = device
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
        if route.source != "data":
            return str(route)
        parts = (self._sets[route.name].domain_of(route.key), route.key, route.role)
        return ".".join(part for part in parts if part)

    def original_units(self, routes: Sequence[Route]) -> OriginalUnits | None:
        """The first target among `routes`, as it was read; None where there is none."""
        for route in routes:
            if route.source == "data" and self._sets[route.name].domain_of(route.key) == "targets":
                features = self._sets[route.name]
                return OriginalUnits(features, route.key, features.raw(route.key)[self._rows[route.name].numpy()])
        return None

    def hoisted(self, nodes: Sequence[str]) -> tuple[str, ...]:
        """The estimators among `nodes` that depend on data and on each other only; none where rows are streamed."""
        if self.is_streamed:
            return ()
        constant: list[str] = []
        for name in nodes:
            plan = self._graph.plans[name]
            ready = all(feed.source == "data" or feed.name in constant for feed in plan.feeds)
            if ready and (plan.is_estimator or self._is_for_estimators(name, nodes)):
                constant.append(name)
        return tuple(constant)

    def _is_for_estimators(self, name: str, nodes: Sequence[str]) -> bool:
        """Whether a node puts keys side by side for nobody but estimators, which then run once as well."""
        behind = [self._graph.plans[other] for other in nodes if name in _sources(self._graph.plans[other])]
        return self._graph.plans[name].kind == "keys" and all(plan.is_estimator for plan in behind)

    def drawn(self, slot: Slot) -> Column:
        """One column, on the device, for batches to be drawn from."""
        if slot not in self._made:
            self._made[slot] = Held(self._compute(slot)) if slot[0] == "node" else self._take(slot)
        return self._made[slot]

    def ids(self, places: Mapping[str, Tensor]) -> dict[str, list[Any]]:
        """The ids of rows, by feature set, given where they stand in the split; windows have those of their first."""
        if "" not in places or self.is_streamed:
            return {}
        at = places[""].cpu()
        return {name: self._sets[name].ids[rows[at].numpy()].tolist() for name, rows in self._rows.items()}

    def pairs(self, route: Route) -> Tensor:
        """The matrix of a route between rows, on the device; its column says where in it each row stands."""
        return self._sets[route.name].pairs[route.key].tensor(self.device)

    def column(self, slot: Slot) -> Tensor:
        """All rows of one column, on the device."""
        return self.drawn(slot).whole()

    def put(self, slot: Slot, made: Column) -> None:
        """Keep a column that was made from others, under a slot of its own."""
        self._made[slot] = made

    def _take(self, slot: Slot) -> Column:
        features = self._sets[slot[1]]
        is_pairs = slot[0] == "pairs"
        whole = features.places(slot[2], self.device) if is_pairs else features.tensor(slot[2], self.device)
        rows = self._rows[slot[1]]
        if features.stream is not None:
            return features.stream.column(slot[2], self._split, whole, self._origin)
        if len(rows) == len(whole) and _is_identity(rows):
            return Held(whole)
        column = Held(whole, rows.to(self.device))
        return column.gathered() if column.first(1).nbytes * len(rows) <= _HELD_BYTES else column

    def _compute(self, slot: Slot) -> Tensor:
        plan = self._graph.plans[slot[1]]
        inputs = [self.column(slot_of(feed)) for feed in plan.feeds]
        return self._graph.call_of(plan.name)(*inputs)


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


def _refuse_beside(used: Sequence[str], origin: Origin) -> None:
    if len(used) > 1:
        message = f"of {', '.join(f'`{name}`' for name in used)} one is streamed, which cannot be used beside others"
        raise SpecError([Diagnostic("not-streamed", message, origin.span, path=origin.path)])


def _sources(plan: NodePlan) -> list[str]:
    return [feed.name for feed in plan.feeds if feed.source == "node"]


def _is_identity(rows: Tensor) -> bool:
    return bool((rows == torch.arange(len(rows))).all())
