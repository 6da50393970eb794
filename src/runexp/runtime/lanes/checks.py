"""What can only be known where batches are: that those which meet in a node or a loss have equally many rows."""

from __future__ import annotations

from collections.abc import Iterator

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.lanes import Strand, Wiring
from runexp.plan.phases import TrainPlan
from runexp.plan.values import Origin
from runexp.runtime.lanes.draws import Draws, LaneDraws


def check_sizes(plan: TrainPlan, draws: Draws, wiring: Wiring | None) -> None:
    """Refuse batches of unequal length that a node or a loss would take together."""
    if wiring is None or not isinstance(draws, LaneDraws) or len(wiring.strands) < 2:
        return
    steps = draws.sizes_by_strand()
    found = []
    for what, origin, strands in _meetings(plan, wiring):
        numbers = [wiring.strands.index(strand) for strand in strands]
        for step, sizes in enumerate(steps):
            there = [sizes.get(number, 0) for number in numbers]
            if len(set(there)) > 1:
                written = ", ".join(f"`{strand}` {size}" for strand, size in zip(strands, there, strict=True))
                message = f"{what} takes batches of unequal length together, at step {step} of an epoch: {written}"
                hint = "the same `size` for each, `drop_last: true` for short last batches, and splits of equal length"
                found.append(Diagnostic("unaligned-data", message, origin.span, help=hint, path=origin.path))
                break
    if found:
        raise SpecError(found)


def _meetings(plan: TrainPlan, wiring: Wiring) -> Iterator[tuple[str, Origin, list[Strand]]]:
    for loss in plan.losses:
        found: dict[Strand, None] = {}
        for route in loss.routes:
            taps = wiring.taps(route.name, route.role) if route.source == "node" else wiring.taps_of(loss.node, route)
            found.update(dict.fromkeys(tap.strand for tap in taps))
        if len(found) > 1:
            yield f"the loss `{loss.name}`", loss.origin, list(found)
