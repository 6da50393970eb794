"""A train phase made ready: the hot path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.protocol import EpochRecord, ExecutionContext
from runexp.plan.guards import OnNan
from runexp.plan.phases import OptimizerPlan, TrainPlan
from runexp.runtime.batching import Batcher
from runexp.runtime.data.problems import collecting, stop_at
from runexp.runtime.freezing import hold_frozen, trained_parameters
from runexp.runtime.graph.forward import Forward, node_slot
from runexp.runtime.graph.graph import Graph
from runexp.runtime.graph.normalised import needs_two_rows
from runexp.runtime.lanes.checks import check_sizes
from runexp.runtime.lanes.draws import open_draws
from runexp.runtime.lanes.judging import PartialJudge
from runexp.runtime.lanes.table import PhaseTable
from runexp.runtime.losses import BoundLoss, bind_losses, weighted_total
from runexp.runtime.moving import Mover, UpdateWatcher
from runexp.runtime.pace import Pace
from runexp.runtime.precision import Precision
from runexp.runtime.recorded.heard import Heard, OutputSlots, number_rows
from runexp.runtime.recording import StepRecord
from runexp.runtime.sparing import KeptBuffers
from runexp.runtime.turns import Turn, Turns
from runexp.runtime.weighing import LossWeights


@dataclass(frozen=True, slots=True, eq=False)
class TrainParts:
    """What a step of a phase with one optimizer is made of, for who takes the steps of several programs at once."""

    graph: Graph
    forward: Forward
    losses: tuple[BoundLoss, ...]
    mover: Mover
    weights: LossWeights
    record: StepRecord
    trained: Mapping[str, nn.Parameter]


class TrainProgram:
    """Draws batches and takes steps. What a step needs is laid out here, once."""

    def __init__(self, plan: TrainPlan, graph: Graph, columns: PhaseTable, device: torch.device, seed: int) -> None:
        self.label = plan.label
        self._graph = graph
        self._nodes = plan.nodes
        self._accumulate = plan.accumulate
        size = min(plan.batch_size, columns.n_rows)
        self._forward = Forward(graph, plan.nodes, columns.hoisted(plan.nodes), columns.wiring)
        self._rows_drawn = number_rows(plan, self._forward, columns)  # before losses are bound to numbers of slots
        precision = Precision(plan.precision, device)
        wrong: list[Diagnostic] = []
        with collecting(wrong), precision:
            self._losses = bind_losses(plan.losses, self._forward, columns.in_batches_of(size), device)
        self._run: Callable[[Sequence[Tensor]], list[Any]] = self._forward
        self._draws = open_draws(plan, columns, self._forward.columns, seed)
        self.n_rows = columns.n_rows
        self.n_batches = self._draws.n_batches
        self.n_steps_an_epoch = -(-self.n_batches // plan.accumulate)
        self._weights = LossWeights(plan, self.n_steps_an_epoch)
        with collecting(wrong):
            _check_batches(plan, graph, self._draws.sizes())
            check_sizes(plan, self._draws, columns.wiring)
        self._movers: list[Mover] = []
        with collecting(wrong):
            self._trained = trained_parameters(plan, graph)
        for optimizer, parameters in self._moved(plan) if not wrong else ():
            with collecting(wrong):
                self._movers.append(Mover(optimizer, parameters, plan, self.n_steps_an_epoch, precision))
        stop_at(wrong)
        self._mover = self._movers[0]
        self.optimizer = self._mover.optimizer
        self._sizes = self._draws.sizes()
        self._is_plain = len(self._losses) == 1 and self._weights.are_one and not plan.lanes and not plan.turns
        self._judge = PartialJudge(self._losses, self._forward) if plan.lanes else None
        self._precision = precision
        self._compute = precision.around(self._judged)
        self._turns = self._open_turns(plan, columns, precision) if plan.turns else None
        names, several = [loss.name for loss in self._losses], [turn.name for turn in plan.turns]
        self._record = StepRecord(names, device, is_plain=self._is_plain, optimizers=several)
        self.watchers: list[UpdateWatcher] = []
        self.pace: Pace | None = None
        for mover in self._movers:
            mover.watchers = self.watchers
        self._table = columns
        self._meet: Callable[[str, float, int], None] = lambda name, value, batch: None
        self._buffers: KeptBuffers | None = None
        self._is_spoilt = False
        graph.set_modes(plan.trains)  # last: what is refused before leaves no node in train mode
        if plan.freezing:
            hold_frozen(plan, graph, self._trained)

    @property
    def rates_now(self) -> tuple[float, ...]:
        """The learning rate of every group, of several optimizers one after the other."""
        return tuple(float(group["lr"]) for mover in self._movers for group in mover.optimizer.param_groups)

    def draw(self, epoch: int, start: int = 0) -> Iterator[Sequence[Tensor]]:
        """The batches of an epoch from the `start`-th on."""
        self._sizes = self._draws.sizes(epoch)
        drawn = self._draws.draw(epoch, start)
        return drawn if self.pace is None else self.pace.timed(drawn)

    def blocks(self, epoch: int) -> Iterator[Sequence[Tensor]]:
        """The rows of an epoch in the order of its batches, several of them at a time where that is faster."""
        if not isinstance(self._draws, Batcher):
            return self.draw(epoch)
        self._sizes = self._draws.sizes(epoch)
        return self._draws.blocks(epoch)

    def guard(self, on_nan: OnNan, meet: Callable[[str, float, int], None]) -> None:
        """Call `meet` for every loss that is not finite; after `skip` the update is left out, bit for bit.

        Off the CPU only `skip` is known before the update, for a synchronisation a step; the others within some steps.
        """
        self._meet = meet
        if self._turns is not None:  # they move one after the other, before anything is noted
            self._turns.spares = on_nan == "skip" or (on_nan == "stop" and self._record.reads_at_once)
        if on_nan == "skip":
            self._record.read_at_once()
            self._buffers = KeptBuffers(self._graph.modules.values())

    def rows(self, epoch: int, batch: int) -> Mapping[str, Sequence[Any]]:
        """The ids of the rows of a batch, by feature set; empty where they are not known, as of a stream."""
        return self._table.ids(self._draws.places(epoch, batch))

    def step(self, context: ExecutionContext) -> None:
        """Forward, losses, backward, and the update when one is due."""
        if self._buffers is not None:
            self._buffers.keep()
        if self._turns is not None:
            if not self._turns.take(context, self._record):
                self._answer()
            self._is_spoilt = False
            self._weights.after_update()
            return
        if self._judge is not None:
            self._step_partly(context, self._judge)
            return
        losses, total = self._compute(context.batches)
        self._mover.backward(total if self._accumulate == 1 else total * self.share(context.batch))
        if not self._record.add(losses, total, self.optimizer.param_groups[0]["lr"]):
            self._answer()
        self._update_if_due(context.batch)

    def _answer(self) -> None:
        """Tell of losses that are not finite; where that is asked for, this step has not been."""
        found = list(self._record.broken())
        for name, value, batch in found:
            self._meet(name, value, batch)
        if found and self._buffers is not None:  # there are some where steps are to be left out
            self._is_spoilt = True
            self._buffers.put_back()

    def _judged(self, batch: Sequence[Tensor]) -> tuple[Sequence[Tensor], Tensor]:
        values = self._run(batch)
        losses = [loss(values) for loss in self._losses]
        return losses, losses[0] if self._is_plain else weighted_total(losses, self._weights.now)

    def _step_partly(self, context: ExecutionContext, judge: PartialJudge) -> None:
        """A step in which not every loss need have rows: what has none takes no part (S-18)."""
        with self._precision:
            losses, n_rows = judge(self._forward(context.batches))
            total = judge.total(losses, self._weights.now)
        if total is not None:
            self._mover.backward(total * self.share(context.batch))
        if not self._record.add_partly(losses, total, n_rows, self.optimizer.param_groups[0]["lr"]):
            self._answer()
        self._update_if_due(context.batch)

    def listen(self, tell: Callable[[Sequence[Any]], None]) -> OutputSlots:
        """Let `tell` have the slots of every forward pass from now on; gives which of them hold what."""
        self._run = Heard(self._forward, tell)
        rows = None if self._rows_drawn is None else self._forward.slot(self._rows_drawn)
        named = [name for name in self._nodes if self._graph.plans[name].kind != "keys"]
        return OutputSlots({name: self._forward.slot(node_slot(name)) for name in named}, rows)

    def take_record(self) -> EpochRecord:
        """The record since the last call."""
        skipped = [mover.take_skipped() for mover in self._movers if mover.is_scaled]
        numbers = self._weights.changing | ({"skipped_steps": float(sum(skipped))} if skipped else {})
        weights = dict(zip([loss.name for loss in self._losses], self._weights.now, strict=True))
        return self._record.take(self._sizes, weights, numbers)

    def latest(self) -> Mapping[str, float]:
        """The newest loss and learning rate."""
        return self._record.latest()

    def groups(self) -> list[tuple[str, float, int]]:
        """Each group of every optimizer: its nodes, its own rate, its number of parameters."""
        return [group for mover in self._movers for group in mover.groups()]

    def rates(self, n_steps: int) -> tuple[float, ...]:
        """The first group's learning rate at every update of the phase."""
        return self._mover.rates(n_steps)

    def after_epoch(self, measured: Mapping[str, float]) -> None:
        """Let the schedules see the numbers of the epoch."""
        for mover in self._movers:
            mover.after_epoch(measured)

    def state(self) -> Mapping[str, Any]:
        """What a continuation needs: of every optimizer its state and its schedule's, the record of the epoch so far,
        the weights of losses that change, and gradients that are gathered for the next update."""
        self._answer()  # a state with numbers that are not finite is no good to go on from
        gradients = {name: value.grad for name, value in self._trained.items() if value.grad is not None}
        return {
            "optimizer": self._mover.state() if self._turns is None else self._turns.state(),
            "movers": [mover.progress() for mover in self._movers],
            "turns": self._turns.step if self._turns is not None else 0,
            "weights": self._weights.step,
            "record": self._record.state(),
            "is_spoilt": self._is_spoilt,
            "gradients": gradients,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told, as a checkpoint gave it back."""
        optimizers = [state["optimizer"]] if self._turns is None else self._turns.in_order(state["optimizer"])
        for mover, optimizer, progress in zip(self._movers, optimizers, state["movers"], strict=True):
            mover.load_state(optimizer, progress)
        if self._turns is not None:
            self._turns.step = state["turns"]
        self._weights.go_to(state["weights"])
        self._record.load_state(state["record"])
        self._is_spoilt = state["is_spoilt"]
        for name, gradient in state["gradients"].items():
            self._trained[name].grad = gradient.to(self._trained[name].device)

    def close(self) -> None:
        """Leave train mode; gradients and the optimizer's state are released with this program."""
        for parameter in self._trained.values():
            parameter.grad = None
        self._graph.set_modes(())

    @property
    def trained(self) -> Mapping[str, nn.Parameter]:
        """The parameters that the phase moves, by `<node>.<parameter>`."""
        return self._trained

    @property
    def parts(self) -> TrainParts:
        """What its steps are made of."""
        return TrainParts(
            self._graph, self._forward, self._losses, self._mover, self._weights, self._record, self._trained
        )

    @property
    def batch_sizes(self) -> Sequence[int]:
        """The rows of each batch of the epoch that is drawn."""
        return self._sizes

    def is_due(self, batch: int) -> bool:
        """Whether an update follows a batch: gradients may be gathered over several."""
        return self._accumulate == 1 or not (batch + 1) % self._accumulate or batch + 1 == self.n_batches

    def share(self, batch: int) -> float:
        """One over the batches of this step: its gradient is their mean, on a short last step too (S-26)."""
        start = batch - batch % self._accumulate
        return 1 / min(self._accumulate, self.n_batches - start)

    def _update_if_due(self, batch: int) -> None:
        if self._accumulate > 1 and not self.is_due(batch):
            return
        self._mover.update(is_left_out=self._is_spoilt)
        self._is_spoilt = False
        self._weights.after_update()

    def _moved(self, plan: TrainPlan) -> list[tuple[OptimizerPlan, Mapping[str, nn.Parameter]]]:
        """Every optimizer and what it moves."""
        if plan.optimizer is not None:
            return [(plan.optimizer, self._trained)]
        return [
            (turn.optimizer, {key: one for key, one in self._trained.items() if key.partition(".")[0] in turn.trains})
            for turn in plan.turns
        ]

    def _open_turns(self, plan: TrainPlan, columns: PhaseTable, precision: Precision) -> Turns:
        turns = []
        for turn, mover in zip(plan.turns, self._movers, strict=True):
            forward = Forward(self._graph, plan.nodes, columns.hoisted(plan.nodes), columns.wiring, runs=turn.runs)
            forward.add_columns(self._forward.columns)
            places = [index for index, loss in enumerate(self._losses) if loss.name in turn.losses]
            turns.append(Turn(turn, mover, forward, [(place, self._losses[place]) for place in places], precision))
        return Turns(turns, self._weights, len(self._losses), is_partial=bool(plan.lanes))


def _check_batches(plan: TrainPlan, graph: Graph, sizes: Sequence[int]) -> None:
    if not sizes:
        message = f"`{plan.split}` has too few rows for one full batch of {plan.batch_size}"
        raise SpecError([_found(plan, "no-batch", message, "a smaller `size`, or no `drop_last`")])
    name = next((name for name in plan.trains if needs_two_rows(graph, name)), None) if sizes[-1] == 1 else None
    if name is not None:
        message = f"the last batch of `{plan.split}` has one row, and batch normalisation in `{name}` needs two"
        raise SpecError([_found(plan, "single-row-batch", message, "`drop_last: true`, or another batch size")])


def _found(plan: TrainPlan, code: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(code, message, plan.origin.span, help=hint, path=plan.origin.path)
