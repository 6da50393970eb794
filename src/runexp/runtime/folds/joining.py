"""Feature sets folded together: rows of one group, or of one id, are in the same part of a fold in all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.strata import renumbered
from runexp.runtime.data.table import Array
from runexp.runtime.folds.pool import Pool


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """The units that are divided: the pooled rows of the first set, then what other sets have beyond it.

    `classes`, `groups` are whole numbers a unit, None where nobody asked; `order` ranks the units; `held` is the
    fold by column. `keys` tells units apart, `members` gives each set's rows with the key of each.
    """

    pools: Sequence[Pool]
    n_units: int
    classes: Array | None
    groups: Array | None
    group_values: Array | None
    order: Array
    held: Array | None
    keys: Array | None
    members: Sequence[Array]

    @property
    def is_series(self) -> bool:
        """Whether rows follow each other along a key of theirs."""
        return self.pools[0].order is not None

    def rows_of(self, number: int, parts: Mapping[str, Array]) -> dict[str, Array]:
        """The rows of one set by part, ascending, from the units of the parts."""
        rows = self.pools[number].rows
        if self.keys is None:
            return {name: np.sort(rows[units]) for name, units in parts.items()}
        return {name: rows[np.isin(self.members[number], self.keys[units])] for name, units in parts.items()}


def join_pools(pools: Sequence[Pool]) -> Together:
    """The units of some sets; `SpecError` where nothing tells which rows belong together."""
    first = pools[0]
    if len(pools) == 1:
        return _together(pools, first.rows, first.classes, first.groups)
    by_group = all(pool.groups is not None for pool in pools)
    if not by_group:
        _check_ids(pools)
    written = [pool.groups if by_group else pool.ids[pool.rows] for pool in pools]
    members = _coded(pools, [values for values in written if values is not None])
    extra = [np.setdiff1d(member, members[0]) for member in members[1:]]
    keys = np.unique(np.concatenate(extra)) if extra else np.empty(0, np.int64)
    if len(keys) and first.classes is not None:
        message = f"{shown(first.asked.data)} lacks {len(keys)} of the ids that other sets have, and so their classes"
        raise wrong(first.asked.origin, "unaligned-data", message, hint="put the set with all rows first")
    units = np.concatenate([members[0], keys])
    groups = first.groups
    if groups is not None and len(keys):
        if not by_group:
            message = f"{shown(first.asked.data)} lacks {len(keys)} of the ids that other sets have, and so their group"
            raise wrong(first.asked.origin, "unaligned-data", message, hint="give `group_by` to every set")
        groups = units
    return _together(pools, units, first.classes, groups, keys=units, members=members)


def _together(
    pools: Sequence[Pool],
    units: Array,
    classes: Array | None,
    groups: Array | None,
    *,
    keys: Array | None = None,
    members: Sequence[Array] = (),
) -> Together:
    first = pools[0]
    n_units = len(units)
    order = np.arange(n_units)
    if first.order is not None:
        order[: len(first.order)] = first.order
    held = first.held
    if held is not None and len(held) < n_units:
        held = np.append(held, np.full(n_units - len(held), -1))
    codes = None if groups is None else renumbered(groups)
    return Together(pools, n_units, classes, codes, groups, order, held, keys, members)


def _coded(pools: Sequence[Pool], written: Sequence[Array]) -> list[Array]:
    """The same whole number for the same value in every set."""
    kinds = {values.dtype.kind in "US" for values in written}
    if len(kinds) > 1:
        names = " and ".join(shown(pool.asked.data) for pool in pools)
        raise wrong(pools[1].asked.origin, "unaligned-data", f"the rows of {names} are told apart by words and numbers")
    codes = np.unique(np.concatenate(list(written)), return_inverse=True)[1].reshape(-1)
    return list(np.split(codes, np.cumsum([len(values) for values in written])[:-1]))


def _check_ids(pools: Sequence[Pool]) -> None:
    """Without ids of their own, rows belong together by their number: sets then need equally many."""
    counts = {len(pool.ids) for pool in pools}
    if any(pool.has_ids for pool in pools) != all(pool.has_ids for pool in pools) or (
        not pools[0].has_ids and len(counts) > 1
    ):
        lacking = next((pool for pool in pools if not pool.has_ids), pools[-1])
        message = f"nothing tells which rows of {shown(lacking.asked.data)} belong to those of the other feature sets"
        hint = "give every set the tag `id`, or `group_by` under `cv.data`"
        raise wrong(lacking.asked.origin, "unaligned-data", message, hint=hint)
