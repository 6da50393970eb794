"""The columns of all lanes of a phase, each drawn in the rows of its tap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from runexp.plan.graph import Route
from runexp.plan.lanes import LanePlan, Strand, Tap, Wiring
from runexp.runtime.columns import Columns
from runexp.runtime.graph.forward import Slot, node_slot
from runexp.runtime.lanes.column import Column, Held
from runexp.runtime.lanes.taken import Taken
from runexp.runtime.sampling import RowSampler
from runexp.runtime.units import OriginalUnits


class PhaseTable(Protocol):
    """The columns that a phase reads, by slot."""

    @property
    def wiring(self) -> Wiring | None:
        """Which rows go where; None where there is one lane of rows that come alone."""
        ...

    @property
    def n_rows(self) -> int:
        """How many rows there are to draw from."""
        ...

    def drawn(self, slot: Slot) -> Column:
        """One column, for batches to be drawn from."""
        ...

    def put(self, slot: Slot, made: Column) -> None:
        """Keep a column that was made from others, under a slot of its own."""
        ...

    def hoisted(self, nodes: Sequence[str]) -> tuple[str, ...]:
        """The estimators among `nodes` that run once over all rows."""
        ...

    def in_batches_of(self, size: int) -> PhaseTable:
        """The same columns, said to come in batches of some rows."""
        ...

    def holds_words(self, route: Route) -> bool:
        """Whether a column holds numbers that stand for words."""
        ...

    def original_units(self, routes: Sequence[Route]) -> OriginalUnits | None:
        """The target among `routes` as it was read, where transforms changed it."""
        ...

    def ids(self, places: Mapping[str, Tensor]) -> dict[str, list[Any]]:
        """The ids of rows, by feature set, given where they stand in their lanes."""
        ...

    def pairs(self, route: Route) -> Tensor:
        """The matrix of a route between rows, on the device."""
        ...

    def shape(self, value: Tensor) -> str:
        """The shape of a batch, for a message."""
        ...

    def called(self, route: Route) -> str:
        """What a spec calls an input of a loss or metric."""
        ...

    def rows_by_role(self) -> Mapping[str, Mapping[str, Tensor]]:
        """By role and feature set, the rows that an evaluation judges, in their order."""
        ...

    def joins_keys(self, node: str) -> bool:
        """Whether a node gives keys of the data, side by side."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """Rows drawn once and for all, as an evaluation wants them: by tap, and the weights by strand."""

    rows: Mapping[Tap, Tensor]
    weights: Mapping[Strand, Tensor]


class LaneTable:
    """Columns of several lanes, or of one whose rows have roles. `fixed`: the rows of an evaluation."""

    def __init__(
        self,
        wiring: Wiring,
        parts: Mapping[str, Columns],
        samplers: Mapping[str, RowSampler],
        fixed: Fixed | None = None,
    ) -> None:
        self.wiring = wiring
        self.samplers = samplers
        self._parts = parts
        self._fixed = fixed
        self._strands = {str(strand): strand for strand in wiring.strands}
        self._made: dict[Slot, Column] = {}
        self._first = next(iter(parts.values()))

    @property
    def device(self) -> torch.device:
        """Where the columns are."""
        return self._first.device

    @property
    def n_rows(self) -> int:
        """The rows of all lanes; of an evaluation the rows, pairs or triplets it judges."""
        if self._fixed is not None:
            return min(len(rows) for rows in self._fixed.rows.values())
        return sum(part.n_rows for part in self._parts.values())

    def n_rows_of(self, lane: LanePlan) -> int:
        """The rows of one lane that an epoch draws."""
        n_rows = self._parts[lane.name].n_rows
        return n_rows // lane.size * lane.size if lane.batches.drop_last else n_rows

    def tap(self, slot: Slot) -> Tap:
        """Where the rows of a column come from."""
        if slot[0] != "node":
            return Tap(self._strands[slot[3]], slot[4])
        return self.wiring.taps(slot[1], slot[3] if len(slot) > 3 else "")[0]

    def drawn(self, slot: Slot) -> Column:
        """One column, on the device; in training of all rows of its lane, for batches to be drawn from."""
        if slot not in self._made:
            self._made[slot] = self._drawn(slot)
        return self._made[slot]

    def put(self, slot: Slot, made: Column) -> None:
        """Keep a column that was made from others, under a slot of its own."""
        self._made[slot] = made

    def hoisted(self, nodes: Sequence[str]) -> tuple[str, ...]:
        """The estimators that run once over all rows: those whose every call takes the same keys from one lane."""
        calls = ((name, call) for name in nodes for call in self.wiring.calls(name))
        mixed = {name for name, call in calls if len(self.wiring.taps(name, call)) != 1}
        mixed |= {name for name in nodes if self.wiring.has_others(name)}
        return self._first.hoisted([name for name in nodes if name not in mixed])

    def in_batches_of(self, size: int) -> LaneTable:
        """The same columns, said to come in batches of some rows."""
        self._first.in_batches_of(size)
        return self

    def holds_words(self, route: Route) -> bool:
        """Whether a column holds numbers that stand for words."""
        return self._first.holds_words(route)

    def original_units(self, routes: Sequence[Route]) -> OriginalUnits | None:
        """The target among `routes` as it was read, in the rows of its role."""
        units = self._first.original_units(routes)
        if units is None or self._fixed is None:
            return units
        role = next((route.role.rpartition(".")[2] for route in routes if route.key == units.key), "")
        rows = next(rows for tap, rows in self._fixed.rows.items() if tap.role == role)
        return replace(units, targets=units.targets[rows.numpy()])

    def ids(self, places: Mapping[str, Tensor]) -> dict[str, list[Any]]:
        """The ids of rows, by feature set; a set that several lanes draw from has those of all of them."""
        found: dict[str, list[Any]] = {}
        for lane, rows in places.items():
            for name, ids in self._parts[lane].ids({"": rows[rows >= 0]}).items():
                found.setdefault(name, []).extend(ids)
        return found

    def pairs(self, route: Route) -> Tensor:
        """The matrix of a route between rows, on the device."""
        return self._first.pairs(route)

    def shape(self, value: Tensor) -> str:
        """The shape of a batch, for a message."""
        return self._first.shape(value)

    def called(self, route: Route) -> str:
        """What a spec calls an input of a loss or metric."""
        return self._first.called(route)

    def rows_by_role(self) -> Mapping[str, Mapping[str, Tensor]]:
        """By role and feature set, the rows that an evaluation judges, in their order."""
        drawn = self._fixed.rows if self._fixed is not None else {}
        return {
            tap.role: {name: own[rows] for name, own in self._parts[tap.strand.lane].rows_by_role()[""].items()}
            for tap, rows in drawn.items()
        }

    def joins_keys(self, node: str) -> bool:
        """Whether a node gives keys of the data, side by side."""
        return self._first.joins_keys(node)

    def _drawn(self, slot: Slot) -> Column:
        tap = self.tap(slot)
        if slot[0] == "drawn":
            return Held(self._weights(tap.strand))
        plain = node_slot(slot[1]) if slot[0] == "node" else slot[:3]
        column = self._parts[tap.strand.lane].drawn(plain)
        return column if self._fixed is None else Taken(column, self._fixed.rows[tap].to(self.device))

    def _weights(self, strand: Strand) -> Tensor:
        """The weights of an evaluation; in training they come with every batch, and ones stand for them."""
        if self._fixed is None:
            return torch.ones(self._parts[strand.lane].n_rows, device=self.device)
        return self._fixed.weights[strand].to(self.device)


def fixed_rows(wiring: Wiring, parts: Mapping[str, Columns], samplers: Mapping[str, RowSampler]) -> Fixed:
    """One drawing of every strand, as a whole. What is masked in some role is left out."""
    rows: dict[Tap, Tensor] = {}
    weights: dict[Strand, Tensor] = {}
    for strand in wiring.strands:
        sampler = samplers.get(strand.lane)
        if sampler is None:
            n_rows = parts[strand.lane].n_rows
            rows[Tap(strand, "")], weights[strand] = torch.arange(n_rows), torch.ones(n_rows)
            continue
        drawn = list(sampler.draw(0, stream=strand.stream))
        by_role = [torch.cat([each.rows[role] for each in drawn]) for role in range(len(sampler.roles))]
        given = [torch.ones(len(each.rows[0])) if each.weights is None else each.weights for each in drawn]
        kept = (torch.stack(by_role) >= 0).all(dim=0)
        rows |= {Tap(strand, role): one[kept] for role, one in zip(sampler.roles, by_role, strict=True)}
        weights[strand] = torch.cat(given)[kept]
    return Fixed(rows, weights)
