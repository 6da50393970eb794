"""The numbers of an epoch from those of its batches."""

from __future__ import annotations

import math
from collections.abc import Sequence

from runexp.engine.protocol import EpochRecord


def means_of(record: EpochRecord, *, leaves_out_nan: bool = False) -> dict[str, float]:
    """Means over rows of the epoch's losses, named `train_…`, the last learning rates, and
    what else it ended with."""
    means = {}
    for name, values in record.columns.items():
        if name == "lr" or name.startswith("lr/"):
            means[name] = values[-1]
            continue
        counts: Sequence[int] = record.counts.get(name, record.n_rows)
        if leaves_out_nan:
            counts = [n if math.isfinite(value) else 0 for n, value in zip(counts, values, strict=True)]
        means[f"train_{name}"] = _mean(values, counts)
    if record.weights:  # losses that do not count the same rows: their means add up, not those of the steps
        counted = {name: weight for name, weight in record.weights.items() if any(record.counts[name])}
        means["train_loss"] = sum(means[f"train_{name}"] * weight for name, weight in counted.items())
    return means | dict(record.numbers)


def _mean(values: Sequence[float], rows: Sequence[int]) -> float:
    """The mean by rows; not a number where none counts."""
    weighted = sum(value * count for value, count in zip(values, rows, strict=True) if count)
    return weighted / sum(rows) if any(rows) else math.nan
