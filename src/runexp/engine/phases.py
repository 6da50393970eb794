"""The phases that run: each declares its steps as a generator of contexts and reports facts to an outbox."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, get_args

from runexp.engine.checkpoints import CheckpointRule, GoingOn, Held, Place
from runexp.engine.finite import LossWatch, NonFiniteLoss
from runexp.engine.means import means_of
from runexp.engine.protocol import (
    EpochRecord,
    ExecutionContext,
    Snapshot,
    Told,
    TrainProgram,
)
from runexp.engine.surroundings import Surroundings
from runexp.engine.view import Callback, Hook, Restored, View
from runexp.events import (
    BatchesRecorded,
    BatchFinished,
    CallbackReturned,
    EpochFinished,
    EpochStarted,
    EvaluationFinished,
    Event,
    NumbersLogged,
    StopRequested,
    WarningRaised,
    WeightsRestored,
)
from runexp.plan.phases import EvalPlan, EvaluationPlan, Moment, TrainPlan
from runexp.plan.values import FrozenMap, freeze


class TrainPhase:
    """Epochs of batches, with the hooks in the order of S-21. It is the view its callbacks see.

    `is_cut` says that an interrupt ended it before its time, `is_over` that its last epoch is. Checkpoints hold what
    `going_on` tells.
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
        self.is_over = False
        self.going_on: GoingOn = dict
        self._next_epoch = 0
        self._next_batch = 0
        self._is_in_epoch = False
        self._is_in_batch = False
        self._is_ended = False
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
        self._has_evaluated = False
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

    def iter_execution(self) -> Iterator[ExecutionContext | Told | None]:
        """One context a batch. Between them hooks run, numbers are logged, and stop requests are honoured.

        None is a moment at which `state` tells all that a continuation needs; `Told` only has the outbox emptied.
        """
        if not self._is_resumed:
            self._fire("on_phase_start")
            yield from self._checkpoint("phase_start")
        while not self.stopped_by and self._next_epoch < self._n_epochs():
            yield None
            if self._around.control.signal:
                self.is_cut = True
                break
            if not self._is_in_epoch:
                yield from self._begin_epoch()
            yield from self._iter_batches(self.epoch)
            record = self._record_batches()
            if self.is_cut:
                break
            yield from self._finish_epoch(record)
        self._around.control.halt = bool(self._around.control.signal)
        if not self._is_ended:
            yield from self._end()

    def state(self) -> Mapping[str, Any]:
        """Where the phase stands."""
        return {name: getattr(self, name) for name in _STATE} | {"n_nan_told": self._watch.n_told}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""
        for name in _STATE:
            setattr(self, name, state[name])
        self._watch.epoch, self._watch.n_told = self.epoch, state["n_nan_told"]
        self._is_resumed = True

    def _end(self) -> Iterator[Told | None]:
        if not self.is_cut:
            self.is_over = True
            yield None
        self._fire("on_phase_end")
        self._is_ended = True
        if not self.is_cut:
            yield from self._checkpoint("phase_end")

    def _begin_epoch(self) -> Iterator[Told]:
        self.epoch = self._next_epoch
        self._is_in_epoch = True
        self._watch.epoch = self.epoch
        self._measured = {}
        self._around.outbox.append(EpochStarted(self.phase, self.epoch))
        self._fire("on_epoch_start")
        yield from self._checkpoint("epoch_start", self.epoch + 1, final=self.epoch + 1 >= self._n_epochs())

    def _iter_batches(self, epoch: int) -> Iterator[ExecutionContext | Told | None]:
        control, live, label, first = self._around.control, self._around.live, self.phase, self._next_batch
        before, after = self._batch_hooks()
        saves_after = self._checkpoints is not None and self._checkpoints.at == "batch_end"
        live.epoch, live.batch = epoch, first
        n_left = 0 if control.halt else self._n_batches(epoch) - first
        for batch, batches in enumerate(islice(self._program.draw(epoch, first), n_left), first):
            self.batch = batch
            if before:
                yield from before()
            yield ExecutionContext(label, epoch, batch, batches)
            if after:
                after()
            live.batch = batch + 1
            if saves_after:
                self._next_batch = batch + 1
                yield from self._checkpoint_of_batch("batch_end")
            if control.halt:
                break
            if control.due:
                self._next_batch = batch + 1
                yield None
        self._next_batch = live.batch
        if control.signal:
            self.is_cut = True
            yield None

    def _batch_hooks(self) -> tuple[Callable[[], Iterator[Told]] | None, Callable[[], None] | None]:
        """What runs around a batch; None where nobody asked for anything."""
        started, ended = self._hooks["on_batch_start"], self._hooks["on_batch_end"]
        saves = self._checkpoints is not None and self._checkpoints.at == "batch_start"
        before = self._before_batch if started or saves else None
        after = self._after_batch if ended or self._around.wants_batches else None
        return before, after

    def _before_batch(self) -> Iterator[Told]:
        if not self._is_in_batch:
            self._fire("on_batch_start")
            self._next_batch, self._is_in_batch = self.batch, True
            yield from self._checkpoint_of_batch("batch_start")
        self._is_in_batch = False

    def _after_batch(self) -> None:
        self._measured, self._reads_newest = {}, True
        if self._around.wants_batches:
            newest = FrozenMap(self._program.latest())
            self._around.outbox.append(BatchFinished(self.phase, self.epoch, self.batch, newest))
        self._fire("on_batch_end")
        if self._has_evaluated:
            self._has_evaluated = False
            self._fire("on_measured")

    @property
    def update(self) -> int:
        """How often the weights were updated so far; amid an epoch -1 after a batch that only gathered gradients."""
        if self._now[1] not in ("on_batch_end", "on_measured"):
            return self.step
        n_done, n_left = divmod(self.batch + 1, self._plan.accumulate)
        if n_left and self.batch + 1 < self._n_batches(self.epoch):
            return -1
        return self.step + n_done + bool(n_left)

    def _record_batches(self) -> EpochRecord:
        """What the epoch's batches gave, also of an epoch that was broken off: its updates did happen."""
        record = self._program.take_record()
        n_batches = len(record.n_rows)
        is_whole = n_batches == self._program.n_batches
        self.step += self._program.n_steps_an_epoch if is_whole else n_batches // self._plan.accumulate
        self._around.outbox.append(BatchesRecorded(self.phase, self.epoch, 0, record.n_rows, record.columns))
        return record

    def _finish_epoch(self, record: EpochRecord) -> Iterator[Told]:
        n_met = self._watch.check(record)
        self._measured, self._reads_newest = means_of(record, leaves_out_nan=self._watch.spares) | dict(n_met), False
        self._fire("on_epoch_end")
        self._program.after_epoch(self._measured)
        is_final = self._is_final_epoch()
        self.n_epochs += 1
        self._final = dict(self._measured)
        self._next_epoch, self._next_batch, self._is_in_epoch = self.epoch + 1, 0, False
        finished = EpochFinished(self.phase, self.epoch, self.step, FrozenMap(self._final))
        yield from self._checkpoint("epoch_end", self.epoch + 1, final=is_final, then=(finished,))
        self._around.outbox.append(finished)

    def _checkpoint(
        self, at: Moment, n: int = 1, *, final: bool = True, then: tuple[Event, ...] = ()
    ) -> Iterator[Told]:
        """Save at the n-th moment of its kind, if that is due. All that was told before is on record by then."""
        rule = self._checkpoints
        if rule is None or not rule.is_due(at, n, final=final):
            return
        yield Told()
        is_amid = "batch" in at
        step = self.step + (self._next_batch // self._plan.accumulate if is_amid else 0)
        measured = self._final if at == "phase_end" else self._measured if at == "epoch_end" else {}
        place = Place(self.epoch, self.batch if is_amid else 0, step, measured)
        self._around.outbox.extend(rule.save(place, self._program, self.going_on, then))

    def _checkpoint_of_batch(self, at: Moment) -> Iterator[Told]:
        n_batches = self._n_batches(self.epoch)
        is_last = self.batch + 1 == n_batches and self.epoch + 1 >= self._n_epochs()
        n = self.epoch * self._program.n_batches + self.batch + 1
        yield from self._checkpoint(at, n, final=is_last or (at == "batch_end" and self._around.control.halt))

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
        now, step = self._now, max(self.update, self.step)
        self._fire("on_evaluation_start")
        try:
            numbers = self._around.evaluate(plan)
        finally:
            self._fire("on_evaluation_end")
            self._now = now
        self._measured.update(numbers)
        self._has_evaluated = now[1] == "on_batch_end"
        if now[1] == "on_phase_end":
            self._final |= numbers
        event = EvaluationFinished(self.phase, callback, plan.split, self.epoch, step, FrozenMap(numbers))
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

    @property
    def held(self) -> tuple[str, ...]:
        """The checkpoints in memory that can be gone back to."""
        held = self._held()
        return held.names if held else ()

    def roll_back(self, by: str, name: str) -> None:
        """Set weights and buffers back to a checkpoint in memory; `KeyError` where there is none of that name."""
        held = self._held()
        if held is None:
            raise KeyError(name)
        snapshot, epoch, _ = held.get(name)
        self._around.restore(snapshot)
        self._around.outbox.append(WeightsRestored(self.phase, by, epoch, "", math.nan))

    def _held(self) -> Held | None:
        rule = self._checkpoints
        return rule.held if rule is not None else None

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


def _by_hook(callbacks: Sequence[Callback]) -> dict[Hook, list[tuple[str, Callable[[View], object]]]]:
    """The calls of each hook, with whose they are; callbacks that measure come first, then those that judge last."""
    hooks: dict[Hook, list[tuple[str, Callable[[View], object]]]] = {hook: [] for hook in get_args(Hook)}
    for callback in sorted(callbacks, key=lambda item: not item.measures):
        for hook, call in callback.hooks().items():
            hooks[hook].append((callback.name, call))
    return hooks


# What a phase goes on from: its position and its numbers.
_STATE = (
    "epoch", "batch", "step", "n_epochs", "stopped_by", "_next_epoch", "_next_batch", "_is_in_epoch", "_is_in_batch",
    "_is_ended", "_measured", "_final",
)  # fmt: skip
