"""Whether an embedding has a row for every index of the data it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn

from runexp.diagnostics import Diagnostic
from runexp.plan.graph import NodePlan
from runexp.runtime.data import FeatureSet
from runexp.runtime.resolve import keyword_arguments, resolve


def too_small(plan: NodePlan, sets: Mapping[str, FeatureSet]) -> Diagnostic | None:
    """What is wrong with a node that begins with an embedding of data, if rows of any split point past its end."""
    feed = plan.feeds[0] if plan.feeds and plan.feeds[0].source == "data" else None
    make: Any = resolve(plan.calls[0]) if feed and plan.calls else None
    if feed is None or make not in (nn.Embedding, nn.EmbeddingBag):
        return None
    n_rows = keyword_arguments(plan.calls[0], make).get("num_embeddings")
    values = sets[feed.name].array(feed.key)
    used = list(sets[feed.name].splits.values())
    values = values[np.concatenate(used)] if used else values
    if not isinstance(n_rows, int) or not np.issubdtype(values.dtype, np.integer) or not values.size:
        return None
    low, high = int(values.min()), int(values.max())
    if low >= 0 and high < n_rows:
        return None
    past = f"as low as {low}" if low < 0 else f"up to {high}"
    return Diagnostic(
        code="failed-rows",
        message=f"`num_embeddings` of the node `{plan.name}` is {n_rows}, and {feed} has indices {past}",
        span=plan.origin.span,
        help="indices count from 0" + (f": `num_embeddings: {high + 1}` would fit" if low >= 0 else ""),
        path=plan.origin.path,
    )
