"""The phases that run: each declares its steps as a generator of contexts and reports facts to an outbox."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, get_args

from runexp.engine.checkpoints import CheckpointRule
from runexp.engine.control import Control
from runexp.engine.finite import LossWatch, NonFiniteLoss
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
    CallbackReturned,
    EpochFinished,
    EpochStarted,
    EvaluationFinished,
    Event,
    NodeFitted,
    NumbersLogged,
    StopRequested,
    WarningRaised,
    WeightsRestored,
)
from runexp.plan.guards import OnNan
from runexp.plan.phases import EvalPlan, EvaluationPlan, FitPlan, TrainPlan
from runexp.plan.values import FrozenMap, freeze

Outbox = deque[Event]


class TrainPhase:
    """Epochs of batches, with the hooks in the order of S-21. It is the view its callbacks see.

    `is_cut` says that an interrupt ended it before its time.
    """

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
        self.is_cut = False
        self._next_epoch = 0
        self._next_batch = 0
        self._is_in_epoch = False
        self._is_resumed = False
        self._plan = plan
        self._program = program
        self._around = surroundings
        self._checkpoints = checkpoints
        self._hooks = _by_hook(callbacks)
        self._now: tuple[str, Hook] = ("", "on_phase_start")
        last = lambda: checkpoints.last if checkpoints else ""  # noqa: E731
        self._watch = LossWatch(plan, program, surroundings.on_nan, surroundings.outbox.append, last)
        self.error: Exception | None = None
        self.evaluations = {item.name: item.evaluation for item in plan.callbacks if isinstance(item, EvaluationPlan)}
        self._reads_newest = False
        self._measured: dict[str, float] = {}
        self._final: dict[str, float] = {}

    @property
    def final(self) -> Mapping[str, float]:
        """The numbers of the last finished epoch, or of the weights that were restored since."""
        return self._final

    @property
    def measured(self) -> Mapping[str, float]:
        """The numbers measured at this epoch so far; within a batch its loss and learning rate."""
        if self._reads_newest:  # on a GPU it costs a synchronisation, so only for who looks
            self._measured = {**self._program.latest(), **self._measured}
            self._reads_newest = False
        return self._measured

    def iter_execution(self) -> Iterator[ExecutionContext | None]:
        """One context a batch. Between them hooks run, numbers are logged, and stop requests are honoured.

        None is a moment at which `state` tells all that a continuation needs.
        """
        if not self._is_resumed:
            self._fire("on_phase_start")
        while not self.stopped_by and self._next_epoch < self._n_epochs():
            yield None
            if self._around.control.signal:
                self.is_cut = True
                break
            self._begin_epoch()
            yield from self._iter_batches(self.epoch)
            record = self._record_batches()
            if self.is_cut:
                break
            self._finish_epoch(record)
            self._next_epoch, self._next_batch, self._is_in_epoch = self.epoch + 1, 0, False
        self._around.control.halt = bool(self._around.control.signal)
        self._fire("on_phase_end")

    def state(self) -> Mapping[str, Any]:
        """Where the phase stands."""
        return {name: getattr(self, name) for name in _STATE} | {"n_nan_told": self._watch.n_told}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""
        for name in _STATE:
            setattr(self, name, state[name])
        self._watch.epoch, self._watch.n_told = self.epoch, state["n_nan_told"]
        self._is_resumed = True

    def _begin_epoch(self) -> None:
        if self._is_in_epoch:
            return
        self.epoch = self._next_epoch
        self._is_in_epoch = True
        self._watch.epoch = self.epoch
        self._measured = {}
        self._around.outbox.append(EpochStarted(self.phase, self.epoch))
        self._fire("on_epoch_start")

    def _iter_batches(self, epoch: int) -> Iterator[ExecutionContext | None]:
        control, live, label, first = self._around.control, self._around.live, self.phase, self._next_batch
        before, after = self._batch_hooks()
        live.epoch, live.batch = epoch, first
        n_left = 0 if control.halt else self._n_batches(epoch) - first
        for batch, batches in enumerate(islice(self._program.draw(epoch, first), n_left), first):
            self.batch = batch
            if before:
                before()
            yield ExecutionContext(label, epoch, batch, batches)
            if after:
                after()
            live.batch = batch + 1
            if control.halt:
                break
            if control.due:
                self._next_batch = batch + 1
                yield None
        self._next_batch = live.batch
        if control.signal:
            self.is_cut = True
            yield None

    def _batch_hooks(self) -> tuple[Callable[[], None] | None, Callable[[], None] | None]:
        """What runs around a batch; None where nobody asked for anything."""
        started, ended = self._hooks["on_batch_start"], self._hooks["on_batch_end"]
        before = (lambda: self._fire("on_batch_start")) if started else None
        after = self._after_batch if ended or self._around.wants_batches else None
        return before, after

    def _after_batch(self) -> None:
        self._measured, self._reads_newest = {}, True
        if self._around.wants_batches:
            newest = FrozenMap(self._program.latest())
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
        n_met = self._watch.check(record)
        self._measured, self._reads_newest = _means(record, leaves_out_nan=self._watch.spares) | dict(n_met), False
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
        """Report numbers under their names. Those of an epoch's end are the epoch's, others have an event."""
        callback, hook = self._now
        self._measured.update(metrics)
        if hook == "on_phase_end":
            self._final |= metrics
        if hook != "on_epoch_end":
            where = self._where(hook)
            self._around.outbox.append(NumbersLogged(self.phase, callback, hook, *where, self.step, FrozenMap(metrics)))

    def evaluate(self, plan: EvalPlan, callback: str) -> Mapping[str, float]:
        """Run an evaluation and log its numbers, which it returns; changes nothing else.

        No hook runs inside but those that lend an evaluation other weights.
        """
        now = self._now
        self._fire("on_evaluation_start")
        try:
            numbers = self._around.evaluate(plan)
        finally:
            self._fire("on_evaluation_end")
            self._now = now
        self._measured.update(numbers)
        event = EvaluationFinished(self.phase, callback, plan.split, self.epoch, self.step, FrozenMap(numbers))
        self._around.outbox.append(event)
        return numbers

    def report(self, result: object) -> None:
        """Keep plain data that a hook gave back."""
        callback, hook = self._now
        self._around.outbox.append(CallbackReturned(self.phase, callback, hook, *self._where(hook), freeze(result)))

    def warn(self, message: str) -> None:
        """Tell a person something that stops nothing."""
        self._around.outbox.append(WarningRaised(self.phase, message))

    def fail(self, error: Exception) -> None:
        """Tell what led to a loss that is not finite, and let callbacks see what the phase failed of; what they raise
        themselves is only told."""
        self.error = error
        if isinstance(error, NonFiniteLoss) and not self._record_batches().n_rows:
            self._around.outbox.pop()  # the epoch was over, and had been told
        for name, call in self._hooks["on_exception"]:
            self._now = (name, "on_exception")
            try:
                call(self)
            except Exception as another:
                self.warn(f"callback `{name}` failed in on_exception: {another}")

    def request_stop(self, by: str, reason: str, *, at: Literal["batch", "epoch"] = "epoch") -> None:
        """End the phase after this batch or this epoch."""
        self.stopped_by = self.stopped_by or by
        self._around.control.halt = self._around.control.halt or at == "batch"
        self._around.outbox.append(StopRequested(self.phase, self.epoch, self.step, by, reason))

    def snapshot(self) -> Snapshot:
        """A copy of the weights and buffers that train."""
        self._fire("on_evaluation_start")  # the weights that were measured
        try:
            return self._around.snapshot(self._plan.trains)
        finally:
            self._fire("on_evaluation_end")

    def restore(self, snapshot: Snapshot, source: Restored) -> None:
        """Set weights and buffers back; the phase's numbers become those measured with them."""
        self._around.restore(snapshot)
        self._measured = self._final = dict(source.measured)
        event = WeightsRestored(self.phase, source.by, source.epoch, source.monitor, source.value)
        self._around.outbox.append(event)

    def _fire(self, hook: Hook) -> None:
        for name, call in self._hooks[hook]:
            self._now = (name, hook)
            call(self)

    def _where(self, hook: Hook) -> tuple[int, int]:
        """The epoch and batch of a hook; -1 where it has none."""
        is_inside = hook not in ("on_phase_start", "on_phase_end")
        return (self.epoch if is_inside else -1), (self.batch if "batch" in hook else -1)

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
    """One pass over a split in chunks, without gradients. `is_cut` says that not all of them ran."""

    def __init__(self, plan: EvalPlan, program: EvalProgram, surroundings: Surroundings) -> None:
        self.is_cut = False
        self._plan = plan
        self._program = program
        self._around = surroundings

    def iter_execution(self) -> Iterator[ExecutionContext]:
        """One context a chunk."""
        for batch, batches in enumerate(self._program.draw()):
            if self._around.control.halt:
                self.is_cut = True
                break
            yield ExecutionContext(self._plan.label, 0, batch, batches)


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
        on_nan: OnNan = "stop",
    ) -> None:
        self.on_nan = on_nan
        self.control = control
        self.live = live
        self.evaluate = evaluate
        self.snapshot = snapshot
        self.restore = restore
        self.wants_batches = wants_batches
        self.outbox: Outbox = deque()


def _by_hook(callbacks: Sequence[Callback]) -> dict[Hook, list[tuple[str, Callable[[View], object]]]]:
    """The calls of each hook, with whose they are; callbacks that measure come first, then those that judge last."""
    hooks: dict[Hook, list[tuple[str, Callable[[View], object]]]] = {hook: [] for hook in get_args(Hook)}
    for callback in sorted(callbacks, key=lambda item: not item.measures):
        for hook, call in callback.hooks().items():
            hooks[hook].append((callback.name, call))
    return hooks


def _means(record: EpochRecord, *, leaves_out_nan: bool = False) -> dict[str, float]:
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


# What a phase goes on from: its position and its numbers.
_STATE = (
    "epoch", "batch", "step", "n_epochs", "stopped_by", "_next_epoch", "_next_batch", "_is_in_epoch", "_measured",
    "_final",
)  # fmt: skip
