"""Rows drawn together: an anchor and, for each other role, one of its candidates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from runexp.plan.samplers import SamplerPlan
from runexp.runtime.data.table import Array
from runexp.runtime.sampling.alone import dealt
from runexp.runtime.sampling.candidates import Candidates
from runexp.runtime.sampling.union import MissingAny
from runexp.runtime.sampling.units import Units, cut

Partners = Candidates | MissingAny

Weigh = Callable[[Array, Array], Array]
"""(n,) weights of pairs of rows (n,), (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """Rows that come as anchors in laps: all of them before any a second time."""

    rows: Array
    n_units: int
    shuffle: bool

    @property
    def n_laps(self) -> int:
        """How often a row is an anchor, at most."""
        return -(-self.n_units // max(1, len(self.rows)))

    def laps(self, generator: Generator) -> tuple[Array, Array]:
        """(n,) anchors, and (n,) how often each has been one before."""
        laps = np.tile(self.rows, (self.n_laps, 1))
        if self.shuffle:
            laps = generator.permuted(laps, axis=1)
        turns = np.repeat(np.arange(self.n_laps), len(self.rows))
        return laps.reshape(-1)[: self.n_units], turns[: self.n_units]

    def draw(self, candidates: Partners, units: tuple[Array, Array], generator: Generator) -> Array:
        """(n,) a candidate for each unit; an anchor that comes again gets another one, where it has enough."""
        anchors, turns = units
        fractions = generator.random(candidates.n_rows)[anchors] + turns / max(1, self.n_laps)
        return candidates.draw(anchors, fractions % 1, generator)


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """Anchors, each with one candidate a role; `weigh` looks at the anchor and its first candidate."""

    plan: SamplerPlan
    anchors: Anchors
    others: Sequence[Partners]
    weigh: Weigh | None

    def sizes(self, generator: Generator) -> tuple[list[int], ...]:
        """Full batches, and what is left."""
        return (cut(self.anchors.n_units, self.plan.size, drop_last=self.plan.drop_last),)

    def epoch(self, generator: Generator) -> tuple[Units, ...]:
        """All anchors in laps, and what goes with them."""
        return (_units(self.anchors, self.others, self.weigh, generator),)


@dataclass(frozen=True, slots=True, eq=False)
class TwoStreams:
    """Pairs that match in one stream, pairs that do not in another; each serves every anchor that it can."""

    plan: SamplerPlan
    alike: Together
    unlike: Together

    def sizes(self, generator: Generator) -> tuple[list[int], ...]:
        """Those of either stream."""
        return (*self.alike.sizes(generator), *self.unlike.sizes(generator))

    def epoch(self, generator: Generator) -> tuple[Units, ...]:
        """One after the other."""
        return (*self.alike.epoch(generator), *self.unlike.epoch(generator))


@dataclass(frozen=True, slots=True, eq=False)
class SharedPairs:
    """Pairs of which a share matches, in each batch within one, or each kind in a stream of its own.

    `can_match` and `can_differ` (N,) say which rows can be the anchor of either kind.
    """

    plan: SamplerPlan
    anchors: Anchors
    alike: Partners
    unlike: Partners
    can_match: Array
    can_differ: Array
    weigh: Weigh | None

    def sizes(self, generator: Generator) -> tuple[list[int], ...]:
        """One stream of all, or one of each kind."""
        n_alike = self._n_alike
        counts = (n_alike, self.anchors.n_units - n_alike) if len(self.plan.streams) > 1 else (self.anchors.n_units,)
        return tuple(cut(count, self.plan.size, drop_last=self.plan.drop_last) for count in counts)

    def epoch(self, generator: Generator) -> tuple[Units, ...]:
        """Anchors in laps, each for the kind that it can serve; where too few can, some come again."""
        anchors, turns = self.anchors.laps(generator)
        is_alike = self._kinds(anchors, generator)
        anchors = self._able(anchors, is_alike, self.can_match, generator)
        anchors = self._able(anchors, ~is_alike, self.can_differ, generator)
        kinds = (np.flatnonzero(is_alike), np.flatnonzero(~is_alike))
        alike, unlike = (
            (anchors[units], self.anchors.draw(candidates, (anchors[units], turns[units]), generator))
            for units, candidates in zip(kinds, (self.alike, self.unlike), strict=True)
        )
        weights = None if self.weigh is None else self.weigh(*alike)
        if len(self.plan.streams) > 1:
            return Units(alike, weights), Units(unlike, None if weights is None else np.ones(len(unlike[0])))
        order = dealt(len(anchors), self.plan.size, generator if self.plan.shuffle else None)
        rows = tuple(np.concatenate([first, second])[order] for first, second in zip(alike, unlike, strict=True))
        if weights is not None:
            weights = np.concatenate([weights, np.ones(len(unlike[0]))])[order]
        return (Units(rows, weights),)

    @property
    def _n_alike(self) -> int:
        return round((self.plan.share or 0.0) * self.anchors.n_units)

    def _kinds(self, anchors: Array, generator: Generator) -> Array:
        """(n,) bool: the pairs that match, first of all those whose anchor can do nothing else."""
        wish = self.can_differ[anchors] * 1.0 - self.can_match[anchors]
        chosen = np.lexsort((generator.random(len(anchors)), wish))[: self._n_alike]
        is_alike = np.zeros(len(anchors), bool)
        is_alike[chosen] = True
        return is_alike

    @staticmethod
    def _able(anchors: Array, units: Array, can: Array, generator: Generator) -> Array:
        """The anchors, with those of the units that cannot serve their kind replaced by some that can."""
        unable = np.flatnonzero(units & ~can[anchors])
        if not len(unable):
            return anchors
        replaced = anchors.copy()
        replaced[unable] = generator.choice(np.flatnonzero(can), len(unable))
        return replaced


def _units(anchors: Anchors, others: Sequence[Partners], weigh: Weigh | None, generator: Generator) -> Units:
    units = anchors.laps(generator)
    drawn = [anchors.draw(candidates, units, generator) for candidates in others]
    return Units((units[0], *drawn), weigh(units[0], drawn[0]) if weigh else None)
