"""A forward pass that is listened to, and batches that carry which rows they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from runexp.plan.phases import RECORD_OUTPUTS, BuiltInPlan, TrainPlan
from runexp.runtime.columns import Columns
from runexp.runtime.graph.forward import Forward, Slot, node_slot
from runexp.runtime.lanes.column import Held
from runexp.runtime.lanes.table import PhaseTable

_NUMBER = "number in the source"


@dataclass(frozen=True, slots=True)
class OutputSlots:
    """Which slots hold the outputs of nodes, by name, and which the numbers of the rows; None where rows stream by."""

    nodes: Mapping[str, int]
    rows: int | None


def number_rows(plan: TrainPlan, forward: Forward, columns: PhaseTable) -> Slot | None:
    """Let batches carry the numbers of their rows, where somebody records outputs."""
    asked = any(isinstance(item, BuiltInPlan) and item.use == RECORD_OUTPUTS for item in plan.callbacks)
    if not asked or not isinstance(columns, Columns) or columns.is_streamed:
        return None
    slot = ("data", plan.data[0], _NUMBER)
    columns.put(slot, Held(columns.row_numbers(plan.data[0])))
    forward.add_columns([slot, *map(node_slot, plan.nodes)])
    return slot


class Heard:
    """A forward pass, of which somebody is told the slots."""

    def __init__(self, forward: Forward, tell: Callable[[Sequence[Any]], None]) -> None:
        self._forward = forward
        self._tell = tell

    def __call__(self, batch: Sequence[Tensor]) -> list[Any]:
        """All slots of one batch."""
        values = self._forward(batch)
        self._tell(values)
        return values
