"""What `record:` of a train phase asks for: the norms of gradients at every update, the outputs for every batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from runexp.engine.view import View
from runexp.plan.phases import BuiltInPlan
from runexp.runtime.callbacks.live import Hooks, LivePhase
from runexp.runtime.recorded.files import PartFiles
from runexp.runtime.recorded.values import shaped

_HELD_UPDATES = 1024


class RecordedGradients:
    """Writes `gradients/<phase>.parquet`: a line for every update, a column for every parameter, null where an update
    had no gradient of it; `norm` is that of all together."""

    measures = False

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._parameters = dict(live.program.trained)
        self._live = live
        self._file: PartFiles | None = None
        self._held: list[Tensor] = []
        self._epochs: list[int] = []
        self._epoch = self._n_updates = 0
        live.program.watchers.append(self)

    def hooks(self) -> Hooks:
        """The starts and ends of the phase and of epochs."""
        return {"on_phase_start": self._begin, "on_epoch_start": self._note, "on_phase_end": self._finish}

    def before_update(self) -> bool:
        """Note the norms of this update's gradients; they stay on their device until many are written together."""
        self._held.append(_norms(self._parameters.values()))
        self._epochs.append(self._epoch)
        if len(self._held) >= _HELD_UPDATES:
            self._pack()
        return True

    def after_update(self) -> None:
        """Nothing to do."""

    def state(self) -> Mapping[str, Any]:
        """How far the file has come."""
        self._pack()
        return {"parts": self._table.flush(), "epoch": self._epoch, "updates": self._n_updates}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self._held, self._epochs = [], []
        self._table.go_to(state["parts"])
        self._epoch, self._n_updates = state["epoch"], state["updates"]

    @property
    def _table(self) -> PartFiles:
        self._file = self._file or PartFiles(self._live.table("gradients"))
        return self._file

    def _begin(self, view: View) -> None:
        self._table.go_to(0)

    def _note(self, view: View) -> None:
        self._epoch = view.epoch

    def _finish(self, view: View) -> None:
        if not view.is_cut:
            self._pack()
            self._table.finish()

    def _pack(self) -> None:
        if not self._held:
            return
        norms = np.asarray(torch.stack(self._held).cpu())
        lacking = norms < 0
        norms[lacking] = 0
        updates = np.arange(self._n_updates, self._n_updates + len(norms))
        columns: dict[str, Any] = {
            "epoch": pa.array(self._epochs, pa.int32()),
            "update": pa.array(updates),
            "norm": pa.array(np.sqrt(np.square(norms, dtype=np.float64).sum(axis=1)).astype(np.float32)),
        }
        columns |= {
            name: pa.array(norms[:, place], mask=lacking[:, place]) for place, name in enumerate(self._parameters)
        }
        self._table.add(pa.table(columns))
        self._n_updates += len(norms)
        self._held, self._epochs = [], []


class RecordedOutputs:
    """Writes `outputs/<phase>.parquet`: a line for every row of every batch, with what each node gave for it."""

    measures = False

    def __init__(self, plan: BuiltInPlan, live: LivePhase) -> None:
        self.name = plan.name
        self._live = live
        self._file: PartFiles | None = None
        self._epoch = self._batch = 0
        self._slots = live.program.listen(self._keep)

    def hooks(self) -> Hooks:
        """The starts and ends of the phase and of epochs."""
        return {"on_phase_start": self._begin, "on_epoch_start": self._note, "on_phase_end": self._finish}

    def state(self) -> Mapping[str, Any]:
        """How far the file has come."""
        return {"parts": self._table.flush(), "epoch": self._epoch, "batch": self._batch}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self._table.go_to(state["parts"])
        self._epoch, self._batch = state["epoch"], state["batch"]

    @property
    def _table(self) -> PartFiles:
        self._file = self._file or PartFiles(self._live.table("outputs"))
        return self._file

    def _begin(self, view: View) -> None:
        self._table.go_to(0)

    def _note(self, view: View) -> None:
        self._epoch, self._batch = view.epoch, 0

    def _finish(self, view: View) -> None:
        if not view.is_cut:
            self._table.finish()

    def _keep(self, values: Sequence[Any]) -> None:
        """The slots of one forward pass."""
        n_rows = len(values[0])
        columns: dict[str, Any] = {
            "epoch": pa.array(np.full(n_rows, self._epoch, np.int32)),
            "batch": pa.array(np.full(n_rows, self._batch, np.int32)),
        }
        if self._slots.rows is not None:
            columns["row"] = pa.array(np.asarray(values[self._slots.rows].cpu()))
        for name, slot in self._slots.nodes.items():
            output = values[slot]
            if isinstance(output, Tensor) and output.ndim and len(output) == n_rows:
                columns[name] = shaped(_plain(output))
        self._table.add(pa.table(columns))
        self._batch += 1


def _norms(parameters: Iterable[nn.Parameter]) -> Tensor:
    """(parameters,) float32; -1 for one that has no gradient."""
    norms = [
        torch.linalg.vector_norm(one.grad.detach().float()) if one.grad is not None else one.new_tensor(-1.0).float()
        for one in parameters
    ]
    return torch.stack(norms)


def _plain(output: Tensor) -> np.ndarray[Any, Any]:
    """Values as NumPy knows them."""
    detached = output.detach()
    return np.asarray((detached.float() if detached.dtype == torch.bfloat16 else detached).cpu())
