"""Conditions between rows turned into candidates: groups for equal values, sorted windows for distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from runexp.runtime.data.table import Array
from runexp.runtime.sampling.candidates import Candidates
from runexp.runtime.sampling.conditions import Condition, all_hold
from runexp.runtime.sampling.groups import Groups
from runexp.runtime.sampling.union import MissingAny
from runexp.runtime.sampling.windows import cells_of, nearer, nearer_than

_MOST_CELLED = 4
"""Distances that are looked up by cells: each makes three times as many stretches a row."""

Spans = tuple[Array, Array]
"""(N,) first positions and (N,) ends, a stretch a row."""


def matching(conditions: Sequence[Condition], n_rows: int) -> Candidates:
    """For each row those that meet all conditions with it; of no condition: all others."""
    return _stretches(conditions, n_rows).kept()


def not_matching(conditions: Sequence[Condition], n_rows: int) -> Candidates | MissingAny:
    """For each row those that miss one of the conditions or more."""
    found = _stretches(conditions, n_rows)
    if found.accepts is None:
        return _complement(found)
    return MissingAny(conditions, [_complement(_stretches([one], n_rows)) for one in conditions])


def _stretches(conditions: Sequence[Condition], n_rows: int) -> Candidates:
    """The stretches of the conditions that one order can show, and the others as what is accepted."""
    same = [one.values for one in conditions if one.relation == "same"] or [np.zeros(n_rows, np.int64)]
    distances = [one for one in conditions if one.relation == "within"]
    made = [_near(conditions, distances, same)] if distances else []
    groups = Groups.of(*same)
    for first in conditions:
        if first.relation in ("beyond", "other"):
            rest = [one for one in conditions if one is not first and one.relation != "same"]
            made.append(_apart(groups, first, rest))
    if not made:
        by_group = _Sorted.of(groups, groups.codes)
        return _candidates(by_group, [by_group.spans], ())
    return min(made, key=lambda candidates: int(candidates.room.sum()))


def _apart(groups: Groups, first: Condition, rest: Sequence[Condition]) -> Candidates:
    """Sorted by the column of the first condition, which leaves out a stretch in the middle."""
    made = _Sorted.of(groups, first.values)
    return _candidates(made, _outside(made.spans, _too_near(made, made.spans, first)), rest)


def _complement(found: Candidates) -> Candidates:
    """All rows outside of stretches that stand in order."""
    before, after = np.zeros((found.n_rows, 1), np.int64), np.full((found.n_rows, 1), found.n_rows)
    starts, stops = np.hstack([before, found.stops]), np.hstack([found.starts, after])
    return Candidates(found.order, starts, stops, found.place)


def _near(conditions: Sequence[Condition], distances: Sequence[Condition], same: Sequence[Array]) -> Candidates:
    """Sorted by the column with the narrowest windows; the cells of the other distances are found by hashing."""
    first, *others = sorted(distances, key=_width) if len(distances) > 1 else distances
    celled = others[:_MOST_CELLED]
    keys = [Groups.of(*same).codes, *(cells_of(one.values, one.distance) for one in celled)]
    hashes = np.stack(keys, axis=1).astype(np.uint64) @ _factors(len(keys))
    cells = Groups.of(hashes)
    made = _Sorted.of(cells, first.values)
    hole = next((one for one in conditions if one.relation == "beyond" and one.column == first.column), None)
    spans: list[Spans] = []
    for steps in product((-1, 0, 1), repeat=len(celled)):
        span = nearer(made.values, _cells_beside(cells, hashes, (0, *steps)), first.values, first.distance)
        spans += _outside(span, _too_near(made, span, hole)) if hole else [span]
    # Cells hold more than what is near, and rarely what has the same hash by chance: then all is looked at again.
    return _candidates(
        made, spans, [one for one in conditions if one not in (first, hole) and (celled or one.relation != "same")]
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Sorted:
    """Rows by group, then by value: `order` (N,), the values in that order, and the stretch of each row's group."""

    order: Array
    place: Array
    values: Array
    spans: Spans
    targets: Array

    @classmethod
    def of(cls, groups: Groups, values: Array) -> _Sorted:
        order = np.lexsort((values, groups.codes))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        starts = groups.starts[groups.codes]
        return cls(order, place, values[order], (starts, starts + groups.counts[groups.codes]), values)


def _candidates(made: _Sorted, spans: Sequence[Spans], rest: Sequence[Condition]) -> Candidates:
    starts, stops = (np.stack([span[side] for span in spans], axis=1) for side in (0, 1))
    return Candidates(made.order, starts, stops, made.place, all_hold(rest) if rest else None)


def _too_near(made: _Sorted, spans: Spans, condition: Condition) -> Spans:
    """The stretch that a condition of distance or otherness leaves out."""
    if condition.relation == "other":
        return nearer(made.values, spans, made.targets, 0)
    return nearer_than(made.values, spans, made.targets, condition.distance)


def _outside(span: Spans, hole: Spans) -> list[Spans]:
    return [(span[0], hole[0]), (hole[1], span[1])]


def _cells_beside(cells: Groups, hashes: Array, steps: Sequence[int]) -> Spans:
    """The stretch of the cell that lies so many steps from each row's own; empty where there is none."""
    known = hashes[cells.order[cells.starts]]
    wanted = hashes + np.asarray(steps).astype(np.uint64) @ _factors(len(steps))
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    counts = np.where(known[at] == wanted, cells.counts[at], 0)
    return cells.starts[at], cells.starts[at] + counts


def _factors(n_keys: int) -> Array:
    """Odd numbers of 64 bits by which cells are hashed; that of a step is never 0, so that no cell comes twice."""
    return np.random.default_rng(0).integers(2**63, 2**64, n_keys, dtype=np.uint64) | np.uint64(1)


def _width(condition: Condition) -> int:
    """How many pairs of rows are within the distance, whatever else."""
    everyone = np.zeros(len(condition.values), np.int64)
    made = _Sorted.of(Groups.of(everyone), condition.values)
    low, high = nearer(made.values, made.spans, made.targets, condition.distance)
    return int((high - low).sum())
