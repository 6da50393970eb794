"""The phases that run: each declares its steps as a generator of contexts and reports facts to an outbox."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal

from runexp.engine.checkpoints import CheckpointRule
from runexp.engine.control import Control
from runexp.engine.finite import check_finite
from runexp.engine.live import Live
from runexp.engine.protocol import (
    EpochRecord,
    EvalProgram,
    ExecutionContext,
    FitProgram,
    Snapshot,
    TrainProgram,
)
from runexp.engine.view import Callback, Hook, Restored, View
from runexp.events import (
    BatchesRecorded,
    BatchFinished,
    EpochFinished,
    EpochStarted,
    EvaluationFinished,
    Event,
    NodeFitted,
    StopRequested,
    WeightsRestored,
)
from runexp.plan.phases import EvalPlan, FitPlan, TrainPlan
from runexp.plan.values import FrozenMap

Outbox = deque[Event]


class TrainPhase:
    """Epochs of batches, with the hooks in the order of S-21. It is the view its callbacks see."""

    def __init__(
        self,
        plan: TrainPlan,
        program: TrainProgram,
        surroundings: Surroundings,
        callbacks: Sequence[Callback],
        checkpoints: CheckpointRule | None,
    ) -> None:
        self.phase = plan.label
        self.epoch = -1
        self.batch = 0
        self.step = 0
        self.n_epochs = 0
        self.stopped_by = ""
        self._plan = plan
        self._program = program
        self._around = surroundings
        self._checkpoints = checkpoints
        self._hooks = _by_hook(callbacks)
        self._measured: dict[str, float] = {}
        self._final: dict[str, float] = {}

    @property
    def final(self) -> Mapping[str, float]:
        """The numbers of the last finished epoch, or of the weights that were restored since."""
        return self._final

    @property
    def measured(self) -> Mapping[str, float]:
        """The numbers measured at this epoch so far."""
        return self._measured

    def iter_execution(self) -> Iterator[ExecutionContext]:
        """One context a batch. Between them hooks run, numbers are logged, and stop requests are honoured."""
        self._fire("on_phase_start")
        for epoch in range(self._n_epochs()):
            self.epoch = epoch
            self._measured = {}
            self._around.outbox.append(EpochStarted(self.phase, epoch))
            self._fire("on_epoch_start")
            yield from self._iter_batches(epoch)
            record = self._record_batches()
            if self._around.control.signal:
                break
            check_finite(record, self.phase, epoch)
            self._finish_epoch(record)
            if self._around.control.halt or self.stopped_by:
                break
        self._around.control.halt = bool(self._around.control.signal)
        self._fire("on_phase_end")

    def _iter_batches(self, epoch: int) -> Iterator[ExecutionContext]:
        control, live, label = self._around.control, self._around.live, self.phase
        before, after = self._batch_hooks()
        live.epoch, live.batch = epoch, 0
        for batch, batches in enumerate(islice(self._program.draw(epoch), self._n_batches(epoch))):
            self.batch = batch
            if before:
                before()
            yield ExecutionContext(label, epoch, batch, batches)
            if after:
                after()
            live.batch = batch + 1
            if control.halt:
                break

    def _batch_hooks(self) -> tuple[Callable[[], None] | None, Callable[[], None] | None]:
        """What runs around a batch; None where nobody asked for anything."""
        started, ended = self._hooks["on_batch_start"], self._hooks["on_batch_end"]
        before = (lambda: self._fire("on_batch_start")) if started else None
        after = self._after_batch if ended or self._around.wants_batches else None
        return before, after

    def _after_batch(self) -> None:
        newest = FrozenMap(self._program.latest())
        self._measured = dict(newest)
        if self._around.wants_batches:
            self._around.outbox.append(BatchFinished(self.phase, self.epoch, self.batch, newest))
        self._fire("on_batch_end")

    def _record_batches(self) -> EpochRecord:
        """What the epoch's batches gave, also of an epoch that was broken off: its updates did happen."""
        record = self._program.take_record()
        n_batches = len(record.n_rows)
        is_whole = n_batches == self._program.n_batches
        self.step += self._program.n_steps_an_epoch if is_whole else n_batches // self._plan.accumulate
        self._around.outbox.append(BatchesRecorded(self.phase, self.epoch, 0, record.n_rows, record.columns))
        return record

    def _finish_epoch(self, record: EpochRecord) -> None:
        self._measured = _means(record)
        self._fire("on_epoch_end")
        self._program.after_epoch(self._measured)
        if self._checkpoints:
            saved = self._checkpoints.after_epoch(
                self.epoch, self.step, self._measured, self._program, final=self._is_final_epoch()
            )
            self._around.outbox.extend(saved)
        self.n_epochs += 1
        self._final = dict(self._measured)
        self._around.outbox.append(EpochFinished(self.phase, self.epoch, self.step, FrozenMap(self._final)))

    def log(self, metrics: Mapping[str, float]) -> None:
        """Report numbers under their names."""
        self._measured.update(metrics)

    def evaluate(self, plan: EvalPlan, callback: str) -> None:
        """Run an evaluation and log its numbers; changes nothing else."""
        numbers = self._around.evaluate(plan)
        self.log(numbers)
        event = EvaluationFinished(self.phase, callback, plan.split, self.epoch, self.step, FrozenMap(numbers))
        self._around.outbox.append(event)

    def request_stop(self, by: str, reason: str, *, at: Literal["batch", "epoch"] = "epoch") -> None:
        """End the phase after this batch or this epoch."""
        self.stopped_by = self.stopped_by or by
        self._around.control.halt = self._around.control.halt or at == "batch"
        self._around.outbox.append(StopRequested(self.phase, self.epoch, self.step, by, reason))

    def snapshot(self) -> Snapshot:
        """A copy of the weights and buffers that train."""
        return self._around.snapshot(self._plan.trains)

    def restore(self, snapshot: Snapshot, source: Restored) -> None:
        """Set weights and buffers back; the phase's numbers become those measured with them."""
        self._around.restore(snapshot)
        self._measured = self._final = dict(source.measured)
        event = WeightsRestored(self.phase, source.by, source.epoch, source.monitor, source.value)
        self._around.outbox.append(event)

    def _fire(self, hook: Hook) -> None:
        for call in self._hooks[hook]:
            call(self)

    def _is_final_epoch(self) -> bool:
        is_stopped = self._around.control.halt or bool(self.stopped_by)
        return is_stopped or self.epoch + 1 >= self._n_epochs()

    def _n_epochs(self) -> int:
        if self._plan.n_epochs:
            return self._plan.n_epochs
        return -(-self._plan.n_steps // self._program.n_steps_an_epoch)

    def _n_batches(self, epoch: int) -> int:
        if self._plan.n_epochs:
            return self._program.n_batches
        left = self._plan.n_steps - epoch * self._program.n_steps_an_epoch
        return min(self._program.n_batches, left * self._plan.accumulate)


class EvalPhase:
    """One pass over a split in chunks, without gradients."""

    def __init__(self, plan: EvalPlan, program: EvalProgram, surroundings: Surroundings) -> None:
        self._plan = plan
        self._program = program
        self._around = surroundings

    def iter_execution(self) -> Iterator[ExecutionContext]:
        """One context a chunk."""
        for batch, batches in enumerate(self._program.draw()):
            yield ExecutionContext(self._plan.label, 0, batch, batches)
            if self._around.control.halt:
                break


class FitPhase:
    """One context with all rows."""

    def __init__(self, plan: FitPlan, program: FitProgram, surroundings: Surroundings) -> None:
        self._plan = plan
        self._program = program
        self._around = surroundings

    def iter_execution(self) -> Iterator[ExecutionContext]:
        """The one context, then the facts."""
        for batches in self._program.draw():
            yield ExecutionContext(self._plan.label, 0, 0, batches)
        for node in self._plan.nodes:
            self._around.outbox.append(NodeFitted(self._plan.label, node, self._program.n_rows))


class Surroundings:
    """What the experiment lends a phase: an outbox for facts, ways to evaluate and to keep weights, the flags."""

    def __init__(
        self,
        control: Control,
        live: Live,
        evaluate: Callable[[EvalPlan], Mapping[str, float]],
        snapshot: Callable[[tuple[str, ...]], Snapshot],
        restore: Callable[[Snapshot], None],
        *,
        wants_batches: bool,
    ) -> None:
        self.control = control
        self.live = live
        self.evaluate = evaluate
        self.snapshot = snapshot
        self.restore = restore
        self.wants_batches = wants_batches
        self.outbox: Outbox = deque()


def _by_hook(callbacks: Sequence[Callback]) -> dict[Hook, list[Callable[[View], object]]]:
    """The calls of each hook; callbacks that measure come first."""
    hooks: dict[Hook, list[Callable[[View], object]]] = {hook: [] for hook in _HOOKS}
    for callback in sorted(callbacks, key=lambda item: not item.measures):
        for hook, call in callback.hooks().items():
            hooks[hook].append(call)
    return hooks


def _means(record: EpochRecord) -> dict[str, float]:
    """Means over rows of the epoch's losses, named `train_…`, the last learning rates, and what else it ended with."""
    means = {}
    for name, values in record.columns.items():
        if name == "lr" or name.startswith("lr/"):
            means[name] = values[-1]
            continue
        means[f"train_{name}"] = _mean(values, record.counts.get(name, record.n_rows))
    if record.weights:  # losses that do not count the same rows: their means add up, not those of the steps
        counted = {name: weight for name, weight in record.weights.items() if any(record.counts[name])}
        means["train_loss"] = sum(means[f"train_{name}"] * weight for name, weight in counted.items())
    return means | dict(record.numbers)


def _mean(values: Sequence[float], rows: Sequence[int]) -> float:
    """The mean by rows; not a number where none counts."""
    weighted = sum(value * count for value, count in zip(values, rows, strict=True) if count)
    return weighted / sum(rows) if any(rows) else math.nan


_HOOKS: tuple[Hook, ...] = (
    "on_phase_start", "on_epoch_start", "on_batch_start", "on_batch_end", "on_epoch_end", "on_phase_end",
)  # fmt: skip
