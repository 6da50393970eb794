"""Feature sets used side by side: the same rows in each, in the order of the first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.values import Origin
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.table import Array


def aligned(
    sets: Mapping[str, FeatureSet], rows: Mapping[str, Tensor], split: str, origin: Origin
) -> dict[str, Tensor]:
    """The rows of each set in a split, those of one example at the same place; `SpecError` where they differ.

    Where sets have the tag `id`, rows are put into the order of the first set's; otherwise they must stand in it.
    """
    counts = {name: len(found) for name, found in rows.items()}
    written = ", ".join(f"`{name}` {count}" for name, count in counts.items())
    if len(set(counts.values())) > 1:
        message = f"feature sets used side by side need equally many rows in `{split}`: {written}"
        raise _unaligned(message, origin)
    first, *others = rows
    found = {first: rows[first]}
    ids = sets[first].ids[rows[first].numpy()]
    for name in others:
        own = sets[name].ids[rows[name].numpy()]
        both_have_ids = sets[first].has_ids and sets[name].has_ids and own.dtype.kind == ids.dtype.kind
        ordered = _in_order(own, ids, rows[name], may_move=both_have_ids)
        if ordered is None:
            message = f"feature sets used side by side need the same rows in `{split}`: the ids of {written} differ"
            raise _unaligned(message, origin)
        found[name] = ordered
    return found


def _in_order(own: Array, wanted: Array, rows: Tensor, *, may_move: bool) -> Tensor | None:
    """The rows of ids `own` in the order of the `wanted` ones; None where they are others, or may not be moved."""
    if list(own) == list(wanted):
        return rows
    mine, theirs = np.argsort(own, kind="stable"), np.argsort(wanted, kind="stable")
    if not may_move or list(own[mine]) != list(wanted[theirs]):
        return None
    places = np.empty_like(mine)
    places[theirs] = mine
    return rows[torch.from_numpy(places)]


def _unaligned(message: str, origin: Origin) -> SpecError:
    hint = (
        "divide them by the same column or shares, and give both the tag `id` where their rows stand in another order"
    )
    return SpecError([Diagnostic("unaligned-data", message, origin.span, help=hint, path=origin.path)])
