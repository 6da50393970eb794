"""Train phases of several folds that wait for each other at every epoch, and take its steps together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

from runexp.diagnostics import SpecError
from runexp.engine.control import Control
from runexp.engine.experiment_hooks import ExperimentCallback
from runexp.engine.live import Live
from runexp.engine.protocol import EpochRecord, EvalProgram, ExecutionContext, FitProgram
from runexp.engine.view import Callback
from runexp.plan.guards import OnNan
from runexp.plan.phases import EvalPlan, FitPlan, Leaf, MadePlan, TrainPlan
from runexp.runtime.stacking.refusals import of_shapes
from runexp.runtime.stacking.stack import Stack, Taken
from runexp.runtime.state import Snapshot
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.runtime.training import TrainProgram

Wait = Callable[[str, int], None]
"""Comes back when the steps of an epoch of a phase have been taken."""


class Company:
    """The folds that train together, by phase. Their steps of an epoch are taken before their engines ask for them."""

    def __init__(self, control: Control, live: Live, whose: str = "folds") -> None:
        self._control = control
        self._whose = whose
        self._live = live
        self._programs: dict[str, dict[int, StackedProgram]] = {}
        self._stacks: dict[str, tuple[tuple[int, ...], Stack]] = {}

    def enter(self, fold: int, plan: TrainPlan, program: TrainProgram, wait: Wait) -> StackedProgram:
        """A fold has begun a phase."""
        self._programs.setdefault(plan.label, {})[fold] = StackedProgram(plan, program, wait)
        return self._programs[plan.label][fold]

    def dismiss(self, reason: BaseException) -> None:
        """Let every fold that goes on fail of this."""
        for programs in self._programs.values():
            for program in programs.values():
                program.failure = reason

    def run_epoch(self, label: str, folds: Sequence[int], epoch: int) -> None:
        """Take the steps of an epoch of a phase for some folds. What fails is told by the program of each."""
        programs = [self._programs[label][fold] for fold in folds]
        live, plan = self._live, programs[0].plan
        live.phase, live.epoch, live.n_epochs, live.batch = label, epoch, plan.n_epochs, 0
        live.n_batches = max(program.n_batches for program in programs)
        live.latest = programs[0].latest
        try:
            stack = self._stack(label, tuple(folds), programs)
            n_batches = [program.n_batches_of(epoch) for program in programs]
            taken = stack.run_epoch(epoch, n_batches, watch=self._watch, is_halted=lambda: self._control.halt)
        except Exception as error:  # raised again in each fold, by the engine's own way
            for program in programs:
                program.failure = error
            return
        for program, own in zip(programs, taken, strict=True):
            program.go_on(own)

    def _stack(self, label: str, folds: tuple[int, ...], programs: Sequence[StackedProgram]) -> Stack:
        known = self._stacks.get(label)
        if known is not None and known[0] == folds:
            return known[1]
        for program in self._programs[label].values():
            program.leave()
        try:
            stack = Stack([program.inner for program in programs])
        except ValueError as error:
            raise SpecError([of_shapes(programs[0].plan.origin, str(error), self._whose)]) from error
        for program in programs:
            program.stack = stack
        self._stacks = {label: (folds, stack)}  # of an earlier phase nothing is needed
        return stack

    def _watch(self, batch: int) -> None:
        self._live.batch = batch


class StackedProgram:
    """The train program of one fold whose steps are taken together with others'."""

    def __init__(self, plan: TrainPlan, inner: TrainProgram, wait: Wait) -> None:
        self.plan = plan
        self.inner = inner
        self.n_rows = inner.n_rows
        self.n_batches = inner.n_batches
        self.n_steps_an_epoch = inner.n_steps_an_epoch
        self.stack: Stack | None = None
        self.failure: BaseException | None = None
        self._wait = wait
        self._taken = Taken((), (), ())
        self._batch = -1
        self._are_sound = True
        self._meet: Callable[[str, float, int], None] = lambda name, value, batch: None

    def n_batches_of(self, epoch: int) -> int:
        """How many batches of an epoch the phase takes: its last may be cut short."""
        if self.plan.n_epochs:
            return self.n_batches
        left = self.plan.n_steps - epoch * self.n_steps_an_epoch
        return min(self.n_batches, left * self.plan.accumulate)

    def go_on(self, taken: Taken) -> None:
        """The steps of an epoch were taken."""
        self._taken, self._batch, self._are_sound = taken, -1, taken.are_sound

    def leave(self) -> None:
        """Part with the others: the optimizer's own state is what counts from now on."""
        if self.stack is not None:
            self.stack.write(self.inner)
            self.stack = None

    def draw(self, epoch: int, start: int = 0) -> Iterator[None]:
        """As many batches as are taken; what is in them is known no longer.

        The engine tells that an epoch begins once it has drawn the first batch: only then are its steps taken.
        """
        yield None
        yield from repeat(None, len(self._taken) - 1)

    def step(self, context: ExecutionContext) -> None:
        """Was taken; whoever looks at this batch is told its numbers. Raises what the steps failed of."""
        if context.batch == 0:
            self._wait(self.plan.label, context.epoch)
        if self.failure is not None:
            raise self.failure
        self._batch = context.batch
        if not self._are_sound:
            for name, value in self._broken(context.batch):
                self._meet(name, value, context.batch)

    def guard(self, on_nan: OnNan, meet: Callable[[str, float, int], None]) -> None:
        """Call `meet` for every loss that is not finite, when its batch is told."""
        self._meet = meet

    def rows(self, epoch: int, batch: int) -> Mapping[str, Sequence[Any]]:
        """The ids of the rows of a batch."""
        return self.inner.rows(epoch, batch)

    def take_record(self) -> EpochRecord:
        """The record of the epoch."""
        return self.inner.take_record()

    def latest(self) -> Mapping[str, float]:
        """The newest loss and learning rate."""
        if not 0 <= self._batch < len(self._taken):
            return self.inner.latest()
        return {"loss": self._taken.totals[self._batch], "lr": self._taken.rates[self._batch]}

    def after_epoch(self, measured: Mapping[str, float]) -> None:
        """Let the schedules see the numbers of the epoch."""
        self.inner.after_epoch(measured)

    def state(self) -> Mapping[str, Any]:
        """What a continuation needs."""
        if self.stack is not None:
            self.stack.write(self.inner)
        return self.inner.state()

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""
        self.inner.load_state(state)

    def close(self) -> None:
        """Leave the others and train mode."""
        self.leave()
        self.inner.close()

    def _broken(self, batch: int) -> Iterator[tuple[str, float]]:
        """Every loss of a step that is not finite; the total where that alone is not."""
        total = self._taken.totals[batch]
        if not math.isfinite(total):
            losses = zip(self.plan.losses, self._taken.losses, strict=True)
            found = [(loss.name, values[batch]) for loss, values in losses if not math.isfinite(values[batch])]
            yield from found or [("loss", total)]


class StackedRuntime:
    """The runtime of one fold whose train phases are taken together with others'."""

    def __init__(
        self, inner: TorchRuntime, fold: int, company: Company, wait: Wait = lambda label, epoch: None
    ) -> None:
        self.device = inner.device
        self._inner = inner
        self._fold = fold
        self._company = company
        self._wait = wait

    def seed(self, label: str) -> None:
        """Seed every random number generator for the phase of that label."""
        self._inner.seed(label)

    def open_train(self, plan: TrainPlan) -> StackedProgram:
        """Make a train phase ready, and enter the company of those that train it."""
        program = self._inner.open_train(plan)
        if not isinstance(program, TrainProgram):
            raise TypeError(f"`{plan.label}` trains an estimator by batches, and was not refused")
        return self._company.enter(self._fold, plan, program, self._wait)

    def open_eval(self, plan: EvalPlan) -> EvalProgram:
        """Make an evaluation ready."""
        return self._inner.open_eval(plan)

    def open_fit(self, plan: FitPlan) -> FitProgram:
        """Make a fit phase ready."""
        return self._inner.open_fit(plan)

    def open_callback(self, plan: MadePlan, program: StackedProgram) -> Callback:
        """The callback of a train phase, made ready."""
        return self._inner.open_callback(plan, program.inner)

    def open_experiment_callback(self, plan: MadePlan) -> ExperimentCallback:
        """A callback around phases and groups, made ready."""
        return self._inner.open_experiment_callback(plan)

    def snapshot(self, nodes: tuple[str, ...] | None = None) -> Snapshot:
        """A copy of the state of `nodes`."""
        return self._inner.snapshot(nodes)

    def restore(self, snapshot: Snapshot) -> None:
        """Set back what a snapshot holds."""
        self._inner.restore(snapshot)

    def hand_over(self, node: str, given: Snapshot | Path | None) -> None:
        """Give a node the weights it takes once a phase is over."""
        self._inner.hand_over(node, given)

    def explained(self, error: Exception, phase: Leaf, live: Live) -> Exception:
        """The error of a phase in words that help."""
        return self._inner.explained(error, phase, live)

    def set_random_state(self, state: Mapping[str, Any]) -> None:
        """Set every random number generator."""
        self._inner.set_random_state(state)
