"""What an eval phase keeps of every row, written as its chunks come by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from torch import Tensor

from runexp.plan.phases import EvalPlan
from runexp.runtime.data import FeatureSet
from runexp.runtime.graph.forward import Forward, Slot, node_slot
from runexp.runtime.lanes.table import PhaseTable
from runexp.runtime.recorded.files import TableFile
from runexp.runtime.recorded.place import Records
from runexp.runtime.recorded.rows import HeldRows, RowFacts, StreamedRows, tags_of
from runexp.runtime.recorded.values import Judged, judged_by, said, shaped, targets_of

Values = Sequence[Any]
"""The slots of one chunk."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What the rows of an eval phase are recorded from: where to, the feature sets, and which fold it is, if one."""

    records: Records
    sets: Mapping[str, FeatureSet]

    def wanted(self, plan: EvalPlan, table: PhaseTable) -> list[Slot]:
        """What chunks have to carry for it beside what losses and metrics read."""
        return output_slots(plan.nodes, table) if "outputs" in plan.record else []

    def open(self, plan: EvalPlan, forward: Forward, table: PhaseTable) -> RowRecorder:
        """The recorder of a phase whose slots are numbered."""
        return RowRecorder(plan, self, forward, table)


def output_slots(nodes: Sequence[str], table: PhaseTable) -> list[Slot]:
    """The slots of everything that nodes give, in all their roles."""
    return [node_slot(node, call) for node in nodes for call in (table.wiring.runs(node) if table.wiring else ("",))]


class RowRecorder:
    """Writes `predictions/<phase>.parquet` and `outputs/<phase>.parquet`, whichever are asked for."""

    def __init__(self, plan: EvalPlan, recording: Recording, forward: Forward, table: PhaseTable) -> None:
        self._plan = plan
        self._sets = recording.sets
        self._table = table
        self._fold = recording.records.fold
        self._judged = [(item, forward.slot(node_slot(item.name, item.role))) for item in judged_by(plan)]
        self._nodes = {
            ".".join(part for part in (slot[1], *slot[3:]) if part): forward.slot(slot)
            for slot in recording.wanted(plan, table)
            if not table.joins_keys(slot[1])
        }
        columns: dict[str, Callable[[Values], dict[str, Any]]] = {
            "predictions": self._predictions,
            "outputs": self._outputs,
        }
        self._files = [(TableFile(recording.records.file(kind, plan.label)), columns[kind]) for kind in plan.record]
        self._rows: list[RowFacts] = []

    def begin(self) -> None:
        """The split is about to be run from its start."""
        targets = list(targets_of([item for item, _ in self._judged], self._sets))
        self._rows = []
        for role, rows in self._table.rows_by_role().items():
            for index, (name, positions) in enumerate(rows.items()):
                keys = [*(tags_of(self._sets[name]) if not index else ()), *(key for of, key in targets if of == name)]
                if keys or not index:
                    self._rows.append(self._facts(name, positions, keys, role))

    def add(self, values: Values) -> None:
        """The slots of one chunk."""
        n_rows = len(values[0])
        told: dict[str, Any] = {} if self._fold is None else {"fold": pa.array(np.full(n_rows, self._fold, np.int32))}
        for facts in reversed(self._rows):
            told = told | facts.take(n_rows)  # `data`, `row` and `id` are those of the first set
        told["split"] = pa.repeat(pa.scalar(self._plan.split), n_rows)
        first = [name for name in ("fold", "data", "row", "id", "split") if name in told]
        told = {name: told[name] for name in dict.fromkeys([*first, *told])}
        for file, columns in self._files:
            file.add(pa.table({**told, **columns(values)}))

    def finish(self) -> None:
        """All rows came by: put the files in their places. `OSError` where the disk refuses."""
        for file, _ in self._files:
            file.commit()

    def abandon(self) -> None:
        """Not all rows came by: leave nothing behind."""
        for file, _ in self._files:
            file.abandon()

    def _facts(self, name: str, positions: Tensor, keys: Sequence[str], role: str) -> RowFacts:
        features = self._sets[name]
        if features.stream is not None:
            return StreamedRows(features, self._plan.split, keys)
        return HeldRows(features, positions.numpy(), keys, role=role)

    def _predictions(self, values: Values) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for item, slot in self._judged:
            if _is_by_row(values[slot], len(values[0])):
                found |= said(item, self._target_set(item), values[slot])
        return found

    def _target_set(self, item: Judged) -> FeatureSet | None:
        return self._sets[item.target[0]] if item.target else None

    def _outputs(self, values: Values) -> dict[str, Any]:
        return {
            name: shaped(np.asarray(values[slot].cpu()))
            for name, slot in self._nodes.items()
            if _is_by_row(values[slot], len(values[0]))
        }


def _is_by_row(value: Any, n_rows: int) -> bool:  # noqa: ANN401 - a node with several outputs gives a tuple
    return isinstance(value, Tensor) and value.ndim > 0 and len(value) == n_rows
