"""A forward pass compiled to a list of calls over numbered slots: nothing is looked up by name in a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from runexp.plan.graph import Feed, NodePlan
from runexp.runtime.graph.graph import Graph

Slot = tuple[str, str, str]
"""What a slot holds: ("data", feature set, key), ("node", name, ""), a column made of another, ("fitted", …), or where
rows stand in a matrix between them, ("pairs", feature set, matrix)."""


class Forward:
    """Runs some nodes of a graph. The first slots are the columns of a batch, the others outputs of nodes.

    `given` are nodes whose outputs come as columns, computed beforehand.
    """

    def __init__(self, graph: Graph, nodes: Sequence[str], given: Sequence[str] = ()) -> None:
        runs = [graph.plans[name] for name in nodes if name not in given]
        self.columns: list[Slot] = list(
            dict.fromkeys(slot for plan in runs for slot in map(slot_of, plan.feeds) if _is_column(slot, given))
        )
        self._given = frozenset(given)
        self._runs = runs
        self._graph = graph
        self._slots: dict[Slot, int] = {}
        self._calls: list[tuple[Callable[..., Tensor], tuple[int, ...], tuple[tuple[str, int], ...], int]] = []
        self._number()

    def add_columns(self, slots: Sequence[Slot]) -> None:
        """Let batches carry more: targets, weights, outputs computed beforehand. Slots are numbered anew."""
        wanted = [slot for slot in slots if slot[0] != "node" or slot[1] in self._given]
        self.columns = list(dict.fromkeys([*self.columns, *wanted]))
        self._number()

    def _number(self) -> None:
        outputs = [("node", plan.name, "") for plan in self._runs]
        self._slots = {slot: index for index, slot in enumerate([*self.columns, *outputs])}
        self._calls = [self._call(plan) for plan in self._runs]

    def slot(self, slot: Slot) -> int:
        """The number of a slot; `KeyError` for one that neither comes in nor is computed."""
        return self._slots[slot]

    def __call__(self, batch: Sequence[Tensor]) -> list[Any]:
        """All slots of one batch: its columns, then the outputs of the nodes."""
        values: list[Any] = [*batch, *[None] * len(self._calls)]
        for call, positional, keyword, target in self._calls:
            if keyword:
                named = {name: values[index] for name, index in keyword}
                values[target] = call(*[values[index] for index in positional], **named)
            else:
                values[target] = call(*[values[index] for index in positional])
        return values

    def _call(self, plan: NodePlan) -> tuple[Callable[..., Tensor], tuple[int, ...], tuple[tuple[str, int], ...], int]:
        positional = tuple(self._slots[slot_of(feed)] for feed in plan.feeds if not feed.argument)
        keyword = tuple((feed.argument, self._slots[slot_of(feed)]) for feed in plan.feeds if feed.argument)
        return self._graph.call_of(plan.name), positional, keyword, self._slots[("node", plan.name, "")]


def slot_of(feed: Feed) -> Slot:
    """The slot a feed reads."""
    return ("data", feed.name, feed.key) if feed.source == "data" else ("node", feed.name, "")


def _is_column(slot: Slot, given: Sequence[str]) -> bool:
    return slot[0] == "data" or slot[1] in given
