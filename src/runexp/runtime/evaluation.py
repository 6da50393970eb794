"""An evaluation made ready: chunks forward without gradients, then losses and metrics over the whole split (S-19)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from runexp.diagnostics import Diagnostic
from runexp.engine.protocol import ExecutionContext
from runexp.plan.graph import MetricPlan
from runexp.plan.lanes import BatchPlan
from runexp.plan.phases import EvalPlan
from runexp.runtime.data.problems import collecting, stop_at
from runexp.runtime.graph.forward import Forward
from runexp.runtime.graph.graph import Graph
from runexp.runtime.lanes.column import Column
from runexp.runtime.lanes.table import PhaseTable
from runexp.runtime.losses import BoundLoss, bind_losses, first_rows
from runexp.runtime.metrics import BoundMetric, bind_metric
from runexp.runtime.recorded.evaluation import Recording
from runexp.runtime.streaming.column import StreamedColumn
from runexp.runtime.streaming.drawing import StreamBatcher
from runexp.runtime.streaming.judging import check_held
from runexp.runtime.summing import Running, running_loss, running_metric


class EvalProgram:
    """Runs a split in chunks and keeps what losses and metrics read; modes are afterwards what they were (S-23)."""

    def __init__(
        self,
        plan: EvalPlan,
        graph: Graph,
        columns: PhaseTable,
        device: torch.device,
        recording: Recording | None = None,
    ) -> None:
        self._plan = plan
        self._graph = graph
        self._forward = Forward(graph, plan.nodes, columns.hoisted(plan.nodes), columns.wiring)
        self._forward.add_columns(
            [self._forward.read_by(item.node, route) for item in plan.metrics for route in item.routes]
        )
        self._forward.add_columns(recording.wanted(plan, columns) if recording else [])
        wrong: list[Diagnostic] = []
        with _Evaluating(graph, plan.nodes):
            with collecting(wrong):
                self._losses: tuple[BoundLoss, ...] = bind_losses(plan.losses, self._forward, columns, device)
            values = first_rows(self._forward, columns)
        self._metrics: list[BoundMetric] = []
        for metric in plan.metrics:
            with collecting(wrong):
                self._metrics.append(bind_metric(metric, self._forward, values, columns))
        stop_at(wrong)
        self._columns = [columns.drawn(slot) for slot in self._forward.columns]
        self._running: dict[str, Running] = {
            loss.name: running for loss in self._losses if (running := running_loss(loss))
        } | {bound.plan.name: running for bound in self._metrics if (running := running_metric(bound))}
        judged = {loss.name: loss.reads for loss in self._losses}
        judged |= {bound.plan.name: bound.reads for bound in self._metrics}
        whole = {name: reads for name, reads in judged.items() if name not in self._running}
        read = {slot for reads in whole.values() for slot in reads}
        given = set(range(len(self._columns)))
        self._kept = sorted(read - given)
        self._whole = sorted(read & given)
        self._stream = _streamed(self._columns, plan)
        if self._stream is not None:  # what is judged is kept as it comes by, so that it is read once
            self._kept, self._whole = sorted(read), []
            check_held(plan, [values[slot] for slot in self._kept], list(whole), columns.n_rows)
        self._outputs: dict[int, list[Tensor]] = {}
        self._recorder = recording.open(plan, self._forward, columns) if recording else None
        self.n_rows = columns.n_rows
        self.n_batches = -(-self.n_rows // plan.batch_size)

    @property
    def hopeless(self) -> tuple[MetricPlan, ...]:
        """The metrics that training cannot help where they refuse what there is: those of classes, and of numbers
        those given predictions and targets of different shapes."""
        return tuple(metric.plan for metric in self._metrics if metric.plan.wants != "values" or not metric.is_level)

    def draw(self) -> Iterator[Sequence[Tensor]]:
        """The chunks of the split, in the order of its rows."""
        self._outputs = {slot: [] for slot in self._kept}
        for running in self._running.values():
            running.clear()
        if self._recorder is None:
            yield from self._draw()
            return
        self._recorder.begin()
        try:
            yield from self._draw()
        except GeneratorExit:  # broken off before its end
            self._recorder.abandon()
            raise

    def _draw(self) -> Iterator[Sequence[Tensor]]:
        if self._stream is not None:
            yield from self._stream.draw(0)
            return
        for start in range(0, self.n_rows, self._plan.batch_size):
            rows = range(start, min(start + self._plan.batch_size, self.n_rows))
            yield tuple(next(column.batches(rows, [len(rows)])) for column in self._columns)

    def step(self, context: ExecutionContext) -> None:
        """Forward of one chunk."""
        with _Evaluating(self._graph, self._plan.nodes), torch.no_grad():
            values = self._forward(context.batches)
            for running in self._running.values():
                running.add(values)
        for slot, outputs in self._outputs.items():
            outputs.append(values[slot])
        if self._recorder is not None:
            self._recorder.add(values)

    def outputs(self, batch: Sequence[Tensor], nodes: Sequence[str]) -> dict[str, Tensor]:
        """What some nodes give for one chunk, those left out that run in several roles; nothing is judged."""
        with _Evaluating(self._graph, self._plan.nodes), torch.no_grad():
            values = self._forward(batch)
        found: dict[str, Tensor] = {}
        for name in nodes:
            with suppress(KeyError):
                found[name] = values[self._forward.slot(("node", name, ""))]
        return found

    def finish(self) -> Mapping[str, float]:
        """The weighted total, each loss, each metric: over all rows, so that chunks do not matter."""
        if self._recorder is not None:
            self._recorder.finish()
        n_slots = max([len(self._columns), *(slot + 1 for slot in self._kept)])
        values: list[Any] = [None] * n_slots
        for slot in self._whole:
            values[slot] = self._columns[slot].whole()
        for slot, outputs in self._outputs.items():
            values[slot] = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
        self._outputs = {}
        summed = {name: running.result() for name, running in self._running.items()}
        with torch.no_grad():
            named = {
                loss.name: summed[loss.name] if loss.name in summed else loss(values).item() for loss in self._losses
            }
        total = {"loss": sum(named[loss.name] * loss.weight for loss in self._losses)} if named else {}
        return total | named | self._measured(values, summed)

    def _measured(self, values: Sequence[Any], summed: Mapping[str, float]) -> dict[str, float]:
        wrong: list[Diagnostic] = []
        measured: dict[str, float] = {}
        for metric in self._metrics:
            with collecting(wrong):
                name = metric.plan.name
                measured[name] = summed[name] if name in summed else metric(values)
        stop_at(wrong)
        return measured


def _streamed(columns: Sequence[Column], plan: EvalPlan) -> StreamBatcher | None:
    """Draws the chunks of a stream; None where rows are held."""
    streamed = [column for column in columns if isinstance(column, StreamedColumn)]
    batches = BatchPlan(plan.batch_size, shuffle=False, drop_last=False)
    return StreamBatcher(streamed, batches, 0, plan.label) if streamed else None


class _Evaluating:
    """Eval mode for some nodes, and their former modes afterwards."""

    def __init__(self, graph: Graph, nodes: Sequence[str]) -> None:
        self._modules = [graph.modules[name] for name in nodes if name in graph.modules]
        self._training: list[Any] = []

    def __enter__(self) -> None:
        """Parts of a node that trains may stand in eval mode, being frozen: each gets back what it had."""
        training = [module for module in self._modules if module.training]
        self._training = [part for module in training for part in module.modules() if part.training]
        for module in training:
            module.eval()

    def __exit__(self, *exception: object) -> None:
        for part in self._training:
            part.training = True
