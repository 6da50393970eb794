"""How the batches of several strands are put together into the steps of an epoch (S-22)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runexp.plan.phases import BatchSchedule

Step = tuple[tuple[int, int], ...]
"""The strands that are live in a step, each with the number of its batch, which counts anew where it cycles."""


def steps_of(schedule: BatchSchedule, n_batches: Sequence[int]) -> Iterator[Step]:
    """The steps of an epoch for strands of so many batches: zipped, or one strand after the other."""
    order, _, ending = schedule.partition("_")
    n_rounds = min(n_batches) if ending == "strict" else max(n_batches)
    for number in range(n_rounds):
        live = tuple((strand, number % count) for strand, count in enumerate(n_batches))
        if order == "zip":
            yield live
        else:
            yield from ((each,) for each in live)
