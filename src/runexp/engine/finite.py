"""A loss that is no longer a finite number ends the run: nothing that follows would mean anything (S-51)."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

from runexp.engine.protocol import EpochRecord


class NonFiniteLoss(Exception):  # noqa: N818 - it reads as what happened
    """A loss of a batch is NaN or infinite."""


def check_finite(record: EpochRecord, phase: str, epoch: int) -> None:
    """Raise `NonFiniteLoss` for the first batch of an epoch whose loss is not a finite number."""
    losses = {name: values for name, values in record.columns.items() if name != "loss" and name.split("/")[0] != "lr"}
    for name, counts in record.counts.items():  # what had no rows in a batch has no value there
        losses[name] = array("d", (value if count else 0.0 for value, count in zip(losses[name], counts, strict=True)))
    broken = {name: _first(values) for name, values in losses.items() if not math.isfinite(sum(values))}
    found = {name: batch for name, batch in broken.items() if batch is not None}
    if not found:
        return
    name, batch = min(found.items(), key=lambda item: item[1])
    raise NonFiniteLoss(
        f"the loss `{name}` is {losses[name][batch]} in epoch {epoch}, batch {batch} of `{phase}`; "
        "a lower learning rate, `clip: {norm: 1.0}` or scaled data may help"
    )


def _first(values: Sequence[float]) -> int | None:
    return next((batch for batch, value in enumerate(values) if not math.isfinite(value)), None)
