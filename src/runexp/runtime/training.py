"""A train phase made ready: the hot path."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.protocol import EpochRecord, ExecutionContext
from runexp.plan.phases import TrainPlan
from runexp.runtime.data.problems import collecting, stop_at
from runexp.runtime.freezing import hold_frozen, trained_parameters
from runexp.runtime.fused import update_of
from runexp.runtime.graph.forward import Forward
from runexp.runtime.graph.graph import Graph
from runexp.runtime.graph.normalised import needs_two_rows
from runexp.runtime.lanes.checks import check_sizes
from runexp.runtime.lanes.draws import open_draws
from runexp.runtime.lanes.judging import PartialJudge
from runexp.runtime.lanes.table import PhaseTable
from runexp.runtime.losses import bind_losses, weighted_total
from runexp.runtime.optim import build_optimizer
from runexp.runtime.schedules import RateSchedule, open_schedule


class UpdateWatcher(Protocol):
    """Stands around every update of the weights."""

    def before_update(self) -> bool:
        """Gradients are complete, not yet clipped; False leaves the update out."""

    def after_update(self) -> None:
        """The weights have moved."""


class TrainProgram:
    """Draws batches and takes steps. What a step needs is laid out here, once."""

    def __init__(self, plan: TrainPlan, graph: Graph, columns: PhaseTable, device: torch.device, seed: int) -> None:
        self.label = plan.label
        self._graph = graph
        self._accumulate = plan.accumulate
        size = min(plan.batch_size, columns.n_rows)
        self._forward = Forward(graph, plan.nodes, columns.hoisted(plan.nodes), columns.wiring)
        wrong: list[Diagnostic] = []
        with collecting(wrong):
            self._losses = bind_losses(plan.losses, self._forward, columns.in_batches_of(size), device)
        self._draws = open_draws(plan, columns, self._forward.columns, seed)
        self.n_rows = columns.n_rows
        self.n_batches = self._draws.n_batches
        self.n_steps_an_epoch = -(-self.n_batches // plan.accumulate)
        with collecting(wrong):
            _check_batches(plan, graph, self._draws.sizes())
            check_sizes(plan, self._draws, columns.wiring)
        with collecting(wrong):
            self._trained = trained_parameters(plan, graph)
            self.optimizer = build_optimizer(plan.optimizer, self._trained)
            self._bases = [float(group["lr"]) for group in self.optimizer.param_groups]
            self._schedule = self._open_schedule(plan)
        stop_at(wrong)
        self._parameters = list(self._trained.values())
        self._move = update_of(self.optimizer)
        self._clip = plan.clip
        self._sizes = self._draws.sizes()
        self._is_plain = len(self._losses) == 1 and self._losses[0].weight == 1.0 and not plan.lanes
        self._judge = PartialJudge(self._losses, self._forward) if plan.lanes else None
        weights = {loss.name: loss.weight for loss in self._losses}
        self._record = _Record(weights, device, is_plain=self._is_plain)
        self.watchers: list[UpdateWatcher] = []
        graph.set_modes(plan.trains)  # last: what is refused before leaves no node in train mode
        if plan.freezing:
            hold_frozen(plan, graph, self._trained)

    def draw(self, epoch: int) -> Iterator[Sequence[Tensor]]:
        """The batches of an epoch."""
        self._sizes = self._draws.sizes(epoch)
        return self._draws.draw(epoch)

    def step(self, context: ExecutionContext) -> None:
        """Forward, losses, backward, and the update when one is due."""
        values = self._forward(context.batches)
        if self._judge is not None:
            self._step_partly(context, values, self._judge)
            return
        losses = [loss(values) for loss in self._losses]
        total = losses[0] if self._is_plain else weighted_total(self._losses, losses)
        if self._accumulate == 1:
            total.backward()
            self._record.add(losses, total, self.optimizer.param_groups[0]["lr"])
            self._update()
            return
        (total * self._share(context.batch)).backward()
        self._record.add(losses, total, self.optimizer.param_groups[0]["lr"])
        if (context.batch + 1) % self._accumulate == 0 or context.batch + 1 == self.n_batches:
            self._update()

    def _step_partly(self, context: ExecutionContext, values: Sequence[Any], judge: PartialJudge) -> None:
        """A step in which not every loss need have rows: what has none takes no part (S-18)."""
        losses, n_rows = judge(values)
        total = judge.total(losses)
        if total is not None:
            (total * self._share(context.batch)).backward()
        self._record.add_partly(losses, total, n_rows, self.optimizer.param_groups[0]["lr"])
        if (context.batch + 1) % self._accumulate == 0 or context.batch + 1 == self.n_batches:
            self._update()

    def take_record(self) -> EpochRecord:
        """The record since the last call."""
        return self._record.take(self._sizes)

    def latest(self) -> Mapping[str, float]:
        """The newest loss and learning rate."""
        return self._record.latest()

    def groups(self) -> list[tuple[str, float, int]]:
        """Each group of the optimizer: its nodes, its own rate, its number of parameters."""
        names = {id(parameter): name.partition(".")[0] for name, parameter in self._trained.items()}
        return [
            (
                ", ".join(dict.fromkeys(names[id(parameter)] for parameter in group["params"])),
                base,
                sum(parameter.numel() for parameter in group["params"]),
            )
            for group, base in zip(self.optimizer.param_groups, self._bases, strict=True)
        ]

    def rates(self, n_steps: int) -> tuple[float, ...]:
        """The first group's learning rate at every update of the phase."""
        return self._schedule.rates(n_steps) if self._schedule else (self._bases[0],)

    def after_epoch(self, measured: Mapping[str, float]) -> None:
        """Let the schedule see the numbers of the epoch."""
        if self._schedule:
            self._schedule.after_epoch(measured)

    def state(self) -> Mapping[str, Any]:
        """The optimizer's state dict."""
        state: Mapping[str, Any] = self.optimizer.state_dict()
        return state

    def close(self) -> None:
        """Leave train mode; gradients and the optimizer's state are released with this program."""
        for parameter in self._parameters:
            parameter.grad = None
        self._graph.set_modes(())

    @property
    def trained(self) -> Mapping[str, nn.Parameter]:
        """The parameters that the phase moves, by `<node>.<parameter>`."""
        return self._trained

    @property
    def batch_sizes(self) -> Sequence[int]:
        """The rows of each batch of the epoch that is drawn."""
        return self._sizes

    def _update(self) -> None:
        if self.watchers and self._is_refused():
            self._let_go()
            return
        if self._clip.norm:
            nn.utils.clip_grad_norm_(self._parameters, self._clip.norm)
        if self._clip.value:
            nn.utils.clip_grad_value_(self._parameters, self._clip.value)
        self._move()
        for parameter in self._parameters:
            parameter.grad = None
        if self._schedule:
            self._schedule.after_update()
        for watcher in self.watchers:
            watcher.after_update()

    def _is_refused(self) -> bool:
        """Whether a callback wants this update left out; each of them sees the gradients."""
        return not all([watcher.before_update() for watcher in self.watchers])

    def _let_go(self) -> None:
        """Leave an update out; the learning rate follows its curve all the same."""
        for parameter in self._parameters:
            parameter.grad = None
        if self._schedule:
            self._schedule.after_update()

    def _open_schedule(self, plan: TrainPlan) -> RateSchedule | None:
        length = plan.schedule if plan.schedule and (plan.schedule.n_epochs or plan.schedule.n_steps) else plan
        n_steps = length.n_steps or length.n_epochs * self.n_steps_an_epoch
        return open_schedule(plan.schedule, self.optimizer, n_steps, self.n_steps_an_epoch)

    def _share(self, batch: int) -> float:
        """One over the batches of this step: its gradient is their mean, on a short last step too (S-26)."""
        start = batch - batch % self._accumulate
        return 1 / min(self._accumulate, self.n_batches - start)


class _Record:
    """The losses and rates of the batches so far. Off the CPU, tensors are kept and read once an epoch."""

    def __init__(self, weights: Mapping[str, float], device: torch.device, *, is_plain: bool) -> None:
        self._weights = weights
        self._names = names = list(weights)
        self._is_plain = is_plain
        self._keeps_tensors = device.type != "cpu"
        self._nothing = torch.tensor(math.nan, device=device)
        self._tensors: list[Tensor] = []
        self._counts: list[array[int]] = [array("q") for _ in names]
        self._values: list[array[float]] = [array("d") for _ in [*names, "loss"]]
        self._rates = array("d")

    def add(self, losses: Sequence[Tensor], total: Tensor, rate: float) -> None:
        """Note one batch; on a CPU reading a loss costs less than keeping it."""
        self._rates.append(rate)
        if self._keeps_tensors:
            self._tensors.append(torch.stack([*losses, total]).detach())
            return
        for values, loss in zip(self._values, losses, strict=False):
            values.append(loss.item())
        if not self._is_plain:
            self._values[-1].append(total.item())

    def add_partly(
        self, losses: Sequence[Tensor | None], total: Tensor | None, n_rows: Sequence[int], rate: float
    ) -> None:
        """Note one batch with the rows that each loss counted; not a number stands for a loss that had none."""
        for counts, n in zip(self._counts, n_rows, strict=True):
            counts.append(n)
        written = [self._nothing if loss is None else loss.detach() for loss in (*losses, total)]
        self.add(written[:-1], written[-1], rate)

    def take(self, sizes: Sequence[int]) -> EpochRecord:
        """What was noted since the last call."""
        self._read()
        columns = dict(zip([*self._names, "loss"], self._values, strict=True))
        columns["loss"] = columns["loss"] or array("d", columns[self._names[0]])
        columns["lr"] = self._rates
        rows = array("q", sizes[: len(self._rates)])
        counts = {name: counted for name, counted in zip(self._names, self._counts, strict=True) if counted}
        self._counts = [array("q") for _ in self._counts]
        self._values = [array("d") for _ in self._values]
        self._rates = array("d")
        return EpochRecord(rows, columns, counts, self._weights if counts else {})

    def latest(self) -> Mapping[str, float]:
        """The newest total and rate; empty before the first batch."""
        tensors, rates = self._tensors, self._rates
        totals = self._values[0] if self._is_plain else self._values[-1]
        if tensors and rates:
            return {"loss": float(tensors[-1][-1]), "lr": rates[-1]}
        return {"loss": totals[-1], "lr": rates[-1]} if totals and rates else {}

    def _read(self) -> None:
        if not self._tensors:
            return
        for values, numbers in zip(self._values, torch.stack(self._tensors).T.tolist(), strict=True):
            values.extend(numbers)
        self._tensors = []


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
