"""Samplers of pairs, triplets and other tuples, made from their conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from runexp.diagnostics import Diagnostic
from runexp.plan.samplers import MatchPlan, SamplerPlan
from runexp.runtime.data.table import Array
from runexp.runtime.sampling.conditions import Condition, conditions_of
from runexp.runtime.sampling.matching import matching, not_matching
from runexp.runtime.sampling.reading import Split, lacking, measured
from runexp.runtime.sampling.together import Anchors, Partners, SharedPairs, Together, TwoStreams, Weigh
from runexp.runtime.sampling.units import Scheme, Units


@dataclass(frozen=True, slots=True, eq=False)
class OfSome:
    """A scheme over some rows only: those that have a value in every column of a condition."""

    scheme: Scheme
    rows: Array

    def sizes(self, generator: Generator) -> tuple[list[int], ...]:
        """Those of the scheme."""
        return self.scheme.sizes(generator)

    def epoch(self, generator: Generator) -> tuple[Units, ...]:
        """The units, their rows as positions in the split."""
        drawn = self.scheme.epoch(generator)
        return tuple(Units(tuple(self.rows[column] for column in units.rows), units.weights) for units in drawn)


def make_tuples(split: Split) -> tuple[Scheme, list[Diagnostic]]:
    """The scheme of a plan with conditions, and a warning about rows that lack something to be drawn with."""
    rows, columns = _present(split)
    links = _links(split.plan, columns, len(rows))
    reached = {what: candidates.reached() for what, candidates in links.items()}
    for what, is_reached in reached.items():
        if not is_reached.any():
            hint = "look at the values of the columns: a distance in other units, or every row a class of its own"
            raise split.wrong("nothing-to-draw", f"no row has {what}", hint=hint)
    weigh = _closeness(conditions_of(split.plan.match, columns)) if split.plan.closeness else None
    scheme = _scheme(split.plan, list(links.values()), list(reached.values()), weigh)
    return OfSome(scheme, rows), list(_lacking(split, rows, reached))


def _present(split: Split) -> tuple[Array, dict[str, Array]]:
    """The rows with a value in every column of a condition, and their values; distances are between numbers."""
    matches = _matches(split.plan)
    is_present = np.ones(split.n_rows, bool)
    for match in matches:
        is_present &= ~lacking(split.columns[match.column])
    rows = np.flatnonzero(is_present)
    columns = {match.column: split.columns[match.column][rows] for match in matches}
    for match in matches:
        values = columns[match.column]
        if match.same is None and values.dtype.kind != "f":
            columns[match.column] = measured(values, match.column, split)
        elif match.same is None:
            measured(values, match.column, split)
    return rows, columns


def _matches(plan: SamplerPlan) -> list[MatchPlan]:
    others = [match for matches in plan.others.values() for match in matches]
    return [*plan.match, *plan.mismatch, *others]


def _links(plan: SamplerPlan, columns: Mapping[str, Array], n_rows: int) -> dict[str, Partners]:
    """What every anchor is drawn with, by what a message calls it."""
    if plan.others:
        return {
            f"a row for `{role}`": matching(conditions_of(matches, columns), n_rows)
            for role, matches in plan.others.items()
        }
    alike = conditions_of(plan.match, columns)
    if plan.kind == "pairs" and plan.share in (None, 1) and len(plan.streams) == 1:
        return {"a match": matching(alike, n_rows)}
    unlike = conditions_of(plan.mismatch, columns)
    apart = matching(unlike, n_rows) if plan.mismatch else not_matching(alike, n_rows)
    return {"a match": matching(alike, n_rows), "a row that does not match": apart}


def _scheme(plan: SamplerPlan, links: list[Partners], reached: list[Array], weigh: Weigh | None) -> Scheme:
    if plan.kind != "pairs" or len(links) == 1:
        return Together(plan, _anchors(plan, np.logical_and.reduce(reached)), links, weigh)
    if plan.share is None:
        alike, unlike = (
            Together(plan, _anchors(plan, of_kind), [link], how)
            for link, of_kind, how in zip(links, reached, (weigh, None), strict=True)
        )
        return TwoStreams(plan, alike, unlike)
    return SharedPairs(
        plan=plan,
        anchors=_anchors(plan, np.logical_or.reduce(reached)),
        alike=links[0],
        unlike=links[1],
        can_match=reached[0],
        can_differ=reached[1],
        weigh=weigh,
    )


def _anchors(plan: SamplerPlan, can: Array) -> Anchors:
    rows = np.flatnonzero(can)
    return Anchors(rows, plan.per_epoch or plan.per_anchor * len(rows), plan.shuffle)


def _closeness(conditions: Sequence[Condition]) -> Weigh:
    """1 - distance / within, multiplied over the columns."""
    distances = [one for one in conditions if one.relation == "within"]

    def weigh(first: Array, second: Array) -> Array:
        weights = np.ones(len(first))
        for one in distances:
            apart = np.abs(one.values[first] - one.values[second])
            weights *= np.clip(1 - apart / one.distance, 0, 1) if one.distance else 1
        return weights

    return weigh


def _lacking(split: Split, rows: Array, reached: Mapping[str, Array]) -> Iterator[Diagnostic]:
    """One warning that names every kind of row that is left out."""
    valueless = np.setdiff1d(np.arange(split.n_rows), rows)
    kinds = {"a value in a column of its conditions": valueless}
    kinds |= {what: rows[~is_reached] for what, is_reached in reached.items()}
    parts = [
        f"{len(idle)} {'lacks' if len(idle) == 1 else 'lack'} {what} ({split.named(idle)})"
        for what, idle in kinds.items()
        if len(idle)
    ]
    if parts:
        message = f"of {split.n_rows} rows, {', '.join(parts)}"
        hint = "such rows are not drawn as anchors; without a value they are not drawn at all"
        yield split.warning("undrawn-rows", message, hint=hint)
