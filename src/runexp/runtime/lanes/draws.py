"""What a train phase draws: the batches of one lane, or of several put together step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor

from runexp.plan.lanes import LanePlan, Strand
from runexp.plan.phases import BatchSchedule, TrainPlan
from runexp.runtime.batching import Batcher, batcher_of
from runexp.runtime.graph.forward import Slot
from runexp.runtime.graph.partial import PartialBatch
from runexp.runtime.lanes.column import Column
from runexp.runtime.lanes.schedule import steps_of
from runexp.runtime.lanes.strands import DrawnColumn, PlainStrand, SampledStrand, StrandDraws
from runexp.runtime.lanes.table import LaneTable, PhaseTable


class Draws(Protocol):
    """The batches of a train phase."""

    n_batches: int

    def sizes(self, epoch: int = 0) -> list[int]:
        """The rows of each batch of an epoch."""
        ...

    def draw(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """The batches of an epoch from the `start`-th on, in the form that a forward pass takes."""
        ...

    def places(self, epoch: int, batch: int) -> Mapping[str, Tensor]:
        """Where the rows of one batch stand in the lanes they are drawn from, by lane; -1 for a masked one."""
        ...


def open_draws(plan: TrainPlan, table: PhaseTable, slots: Sequence[Slot], seed: int) -> Draws:
    """The draws of a phase for the columns it reads; plain where it has one lane and no sampler of its own."""
    if isinstance(table, LaneTable):
        strands = [_open_strand(strand, table, slots, (seed, plan.label)) for strand in table.wiring.strands]
        return LaneDraws(strands, plan.batch_schedule, len(slots))
    return batcher_of([table.drawn(slot) for slot in slots], plan.batches, seed, plan.label)


@dataclass(frozen=True, slots=True)
class PlacedStrand:
    """A strand and the places of its columns among those of a step."""

    draws: StrandDraws
    places: tuple[int, ...]
    lane: str


class LaneDraws:
    """Steps over several strands. A strand is drawn once an epoch, and again from its start where it cycles (S-08)."""

    def __init__(self, strands: Sequence[PlacedStrand], schedule: BatchSchedule, n_columns: int) -> None:
        self._strands = strands
        self._schedule = schedule
        self._n_columns = n_columns
        self.n_batches = len(self.sizes())

    def sizes(self, epoch: int = 0) -> list[int]:
        """The rows of each step: those of its longest batch."""
        return [max(sizes.values()) for sizes in self.sizes_by_strand(epoch)]

    def sizes_by_strand(self, epoch: int = 0) -> list[dict[int, int]]:
        """For each step the rows of every strand that is live in it, by its number."""
        sizes = [strand.draws.sizes(epoch) for strand in self._strands]
        counts = [len(each) for each in sizes]
        if not all(counts):
            return []
        return [{strand: sizes[strand][batch] for strand, batch in step} for step in steps_of(self._schedule, counts)]

    def draw(self, epoch: int, start: int = 0) -> Iterator[PartialBatch]:
        """The steps of an epoch from the `start`-th on; the columns of lanes that rest are None."""
        return islice(self._draw(epoch), start, None)  # those before it are drawn and let go: strands keep step so

    def places(self, epoch: int, batch: int) -> dict[str, Tensor]:
        """The rows of one step in the lanes that are live in it, each once."""
        counts = [len(strand.draws.sizes(epoch)) for strand in self._strands]
        found: dict[str, list[Tensor]] = {}
        for number, own in next(islice(steps_of(self._schedule, counts), batch, None)):
            strand = self._strands[number]
            found.setdefault(strand.lane, []).append(strand.draws.rows(epoch, own))
        return {lane: torch.cat(rows).unique() for lane, rows in found.items()}

    def _draw(self, epoch: int) -> Iterator[PartialBatch]:
        counts = [len(strand.draws.sizes(epoch)) for strand in self._strands]
        drawing: dict[int, Iterator[PartialBatch]] = {}
        for step in steps_of(self._schedule, counts):
            values: list[Tensor | None] = [None] * self._n_columns
            live: dict[int, Tensor] = {}
            for number, batch in step:
                strand = self._strands[number]
                if batch == 0:
                    drawing[number] = strand.draws.draw(epoch)
                drawn = next(drawing[number])
                for place, value in zip(strand.places, drawn.values, strict=True):
                    values[place] = value
                live.update({strand.places[index]: mask for index, mask in drawn.live.items()})
            yield PartialBatch(values, live)


def _open_strand(strand: Strand, table: LaneTable, slots: Sequence[Slot], key: tuple[int, str]) -> PlacedStrand:
    mine = [(place, slot) for place, slot in enumerate(slots) if table.tap(slot).strand == strand]
    places = tuple(place for place, _ in mine)
    lane = table.wiring.lanes[strand.lane]
    columns = [None if slot[0] == "drawn" else table.drawn(slot) for _, slot in mine]
    sampler = table.samplers.get(strand.lane)
    if sampler is None:
        held = [column for column in columns if column is not None]
        return PlacedStrand(PlainStrand(_batcher(held, lane, table, key)), places, lane.name)
    roles = [sampler.roles.index(table.tap(slot).role) if slot[0] != "drawn" else 0 for _, slot in mine]
    drawn = [DrawnColumn(column, role) for column, role in zip(columns, roles, strict=True)]
    return PlacedStrand(SampledStrand(sampler, strand.stream, drawn, table.device), places, lane.name)


def _batcher(columns: Sequence[Column], lane: LanePlan, table: LaneTable, key: tuple[int, str]) -> Batcher:
    """The first lane of a phase has the order that the phase would have without the others."""
    seed, phase = key
    first = next(iter(table.wiring.lanes))
    return Batcher(columns, lane.batches, seed, phase if lane.name == first else f"{phase}/{lane.name}")
