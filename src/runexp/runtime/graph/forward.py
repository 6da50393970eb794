"""A forward pass compiled to a list of calls over numbered slots: nothing is looked up by name in a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from runexp.plan.graph import Feed, NodePlan, Route
from runexp.plan.lanes import Tap, Wiring
from runexp.runtime.graph.graph import Graph
from runexp.runtime.graph.partial import Call, PartialBatch, run_partly

Slot = tuple[str, ...]
"""What a slot holds: ("data", feature set, key), ("node", name, ""), a column made of another, ("fitted", …), or where
rows stand in a matrix between them, ("pairs", feature set, matrix).

Where rows come from several lanes or in roles, columns end with their strand and role, nodes with the role.
"""


class Forward:
    """Runs some nodes of a graph. The first slots are the columns of a batch, the others outputs of nodes.

    `given` are nodes whose outputs come as columns, computed beforehand. `wiring` says how often each node is called
    and from which rows; without it, once, from the rows of the one lane there is. Of `runs`, where only some of the
    nodes run, the slots are the same as of all.
    """

    def __init__(
        self,
        graph: Graph,
        nodes: Sequence[str],
        given: Sequence[str] = (),
        wiring: Wiring | None = None,
        *,
        runs: Sequence[str] | None = None,
    ) -> None:
        self._wiring = wiring
        self._given = frozenset(given)
        self._graph = graph
        run = [graph.plans[name] for name in nodes if name not in given]
        self._only = frozenset(nodes if runs is None else runs)
        self._runs = [(plan, role) for plan in run for role in (wiring.runs(plan.name) if wiring else ("",))]
        read = [slot for plan, role in self._runs for slot in self._feeding(plan, role)]
        self.columns: list[Slot] = list(dict.fromkeys(slot for slot in read if _is_column(slot, given)))
        self.live: Mapping[int, Tensor] = {}
        """By slot, which rows of the last batch are not masked; only of slots in which some are."""
        self._slots: dict[Slot, int] = {}
        self._calls: list[Call] = []
        self._number()

    def add_columns(self, slots: Sequence[Slot]) -> None:
        """Let batches carry more: targets, weights, outputs computed beforehand. Slots are numbered anew."""
        wanted = [slot for slot in slots if slot[0] != "node" or slot[1] in self._given]
        self.columns = list(dict.fromkeys([*self.columns, *wanted]))
        self._number()

    @property
    def calls(self) -> list[tuple[str, Call]]:
        """The nodes that run, in their order, each with the slots of its inputs and of what it gives."""
        names = [plan.name for plan, _ in self._runs if plan.name in self._only]
        return list(zip(names, self._calls, strict=True))

    def slot(self, slot: Slot) -> int:
        """The number of a slot; `KeyError` for one that neither comes in nor is computed."""
        return self._slots[slot]

    def read_by(self, node: str, route: Route) -> Slot:
        """The slot that a loss or metric on `node` reads by a route."""
        return route_slot(node, route, self._wiring)

    def __call__(self, batch: Sequence[Tensor] | PartialBatch) -> list[Any]:
        """All slots of one batch: its columns, then the outputs of the nodes; None for what no live row reaches."""
        if isinstance(batch, PartialBatch):
            values, self.live = run_partly(self._calls, batch, len(self._runs))
            return values
        values = [*batch, *[None] * len(self._runs)]
        for call, positional, keyword, target in self._calls:
            if keyword:
                named = {name: values[index] for name, index in keyword}
                values[target] = call(*[values[index] for index in positional], **named)
            else:
                values[target] = call(*[values[index] for index in positional])
        return values

    def _number(self) -> None:
        outputs = [node_slot(plan.name, role) for plan, role in self._runs]
        self._slots = {slot: index for index, slot in enumerate([*self.columns, *outputs])}
        self._calls = [self._call(plan, role) for plan, role in self._runs if plan.name in self._only]

    def _call(self, plan: NodePlan, role: str) -> Call:
        read = [(feed, self._slots[slot]) for feed, slot in zip(plan.feeds, self._feeding(plan, role), strict=True)]
        positional = tuple(slot for feed, slot in read if not feed.argument)
        keyword = tuple((feed.argument, slot) for feed, slot in read if feed.argument)
        return self._graph.call_of(plan.name), positional, keyword, self._slots[node_slot(plan.name, role)]

    def _feeding(self, plan: NodePlan, role: str) -> list[Slot]:
        if self._wiring is None:
            return [slot_of(feed) for feed in plan.feeds]
        sources = self._wiring.calls(plan.name)[role]
        return [
            data_slot(source.name, source.key, source.tap) if source.tap else node_slot(source.name, source.call)
            for source in sources
        ]


def slot_of(feed: Feed) -> Slot:
    """The slot a feed reads."""
    return ("data", feed.name, feed.key) if feed.source == "data" else ("node", feed.name, "")


def node_slot(name: str, role: str = "") -> Slot:
    """The slot of what a node gives, in its call for a role."""
    return ("node", name, "", role) if role else ("node", name, "")


def data_slot(name: str, key: str, tap: Tap) -> Slot:
    """The slot of a key of a feature set, for rows of a tap."""
    return ("data", name, key, str(tap.strand), tap.role)


def route_slot(node: str, route: Route, wiring: Wiring | None) -> Slot:
    """The slot that a loss or metric on `node` reads by a route."""
    if route.source == "node":
        return node_slot(route.name, route.role)
    if wiring is None:
        return (route.source, route.name, route.key)
    tap = wiring.taps_of(node, route)[0]
    if route.source == "sampler":
        return ("drawn", "", route.key, str(tap.strand), "")
    return (route.source, *data_slot(route.name, route.key, tap)[1:])


def _is_column(slot: Slot, given: Sequence[str]) -> bool:
    return slot[0] == "data" or slot[1] in given
