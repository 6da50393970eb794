"""Phases made ready and let go of, so that what cannot work is known before anything starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.protocol import ExecutionContext
from runexp.plan.experiment import leaves
from runexp.plan.phases import (
    BuiltInPlan,
    EvalPlan,
    FitPlan,
    Leaf,
    OwnCallbackPlan,
    PhasePlan,
    TrainPlan,
)
from runexp.plan.values import Origin
from runexp.runtime.callbacks import open_callback
from runexp.runtime.callbacks.live import LivePhase
from runexp.runtime.columns import Columns
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.few_rows import few_rows
from runexp.runtime.data.problems import collecting, first_line, stop_at
from runexp.runtime.evaluation import EvalProgram
from runexp.runtime.graph.graph import Graph
from runexp.runtime.lanes.opening import Opening
from runexp.runtime.resolve import REFUSALS
from runexp.runtime.training import TrainProgram

_FEW_ROWS = 128


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What phases are made ready on. Modes of modules change; the caller puts them back where it matters."""

    graph: Graph
    sets: Mapping[str, FeatureSet]
    device: torch.device
    seed: int

    def run(self, phases: Iterable[PhasePlan]) -> tuple[Diagnostic, ...]:
        """Make ready what can be by now. A mistake that several phases meet is told once."""
        found: dict[tuple[str, str], Diagnostic] = {}
        for phase in leaves(phases):
            if not isinstance(phase, FitPlan) and not self.graph.is_built(phase.nodes):
                continue
            try:
                with self.blaming(phase):
                    self.open(phase)
            except SpecError as error:
                for item in error.diagnostics:
                    found.setdefault((item.code, item.path), item)
        return tuple(found.values())

    @contextmanager
    def blaming(self, phase: Leaf) -> Iterator[None]:
        """Turn what a node raises on the rows of a phase into a `SpecError` at that node, or else at the phase."""
        try:
            yield
        except REFUSALS as error:
            name = self._culprit(phase)
            origin = self.graph.plans[name].origin if name else phase.origin
            what = f"the node `{name}`" if name else f"`{phase.label}`"
            message = f"{what} cannot take the rows of `{phase.split}`: {first_line(error)}"
            hint = "sizes such as `num_embeddings` have to exceed every value" if isinstance(error, IndexError) else ""
            raise SpecError([Diagnostic("failed-rows", message, origin.span, help=hint, path=origin.path)]) from error

    def open(self, phase: Leaf) -> None:
        """Make one phase ready; `SpecError` with all that cannot work."""
        match phase:
            case TrainPlan():
                self._open_train(phase)
            case EvalPlan():
                program = EvalProgram(phase, self.graph, self.opening.table(phase), self.device)
                self._judge(replace(phase, losses=(), metrics=program.hopeless))
            case FitPlan():
                self.opening.columns(phase)

    def _open_train(self, phase: TrainPlan) -> None:
        program = TrainProgram(phase, self.graph, self.opening.table(phase), self.device, self.seed)
        live = LivePhase(phase.label, self.graph, program, Path)
        wrong: list[Diagnostic] = []
        for item in phase.callbacks:
            if isinstance(item, (BuiltInPlan, OwnCallbackPlan)):
                with collecting(wrong):
                    open_callback(item, live)
        program.close()
        stop_at(wrong)

    def _judge(self, phase: EvalPlan) -> None:
        """Compute metrics on some rows, and on all where those will not do."""
        if not phase.metrics or self.device.type == "meta":
            return
        if phase.lanes:  # pairs are drawn from all rows
            self.compute(phase)
            return
        some = few_rows(self.sets, phase.split, phase.data, _FEW_ROWS, many=_FEW_ROWS, is_quick=True)
        try:
            replace(self, sets=some).compute(phase)
        except SpecError:
            if all(some[name] is self.sets[name] for name in phase.data):
                raise
            self.compute(phase)

    def compute(self, phase: EvalPlan) -> None:
        """Run an evaluation to its numbers, which nobody is told; `SpecError` for one that cannot be computed."""
        program = EvalProgram(phase, self.graph, self.opening.table(phase), self.device)
        for index, batch in enumerate(program.draw()):
            program.step(ExecutionContext(phase.label, 0, index, batch))
        program.finish()

    def _culprit(self, phase: Leaf) -> str:
        """The first node that fails on the rows of the phase; empty where none does by itself."""
        if not isinstance(phase, FitPlan) and phase.lanes:
            return ""
        columns = self.columns(phase.split, phase.data, phase.origin)
        for name in phase.runs if isinstance(phase, FitPlan) else phase.nodes:
            if columns.is_streamed or any(feed.argument for feed in self.graph.plans[name].feeds):
                return ""
            try:
                columns.column(("node", name, ""))
            except REFUSALS:
                return name
        return ""

    @property
    def opening(self) -> Opening:
        """What tables of phases are made from; a graph without weights takes its rows from memory."""
        device = torch.device("cpu") if self.device.type == "meta" else self.device
        return Opening(self.graph, self.sets, device, self.seed)

    def columns(self, split: str, used: Sequence[str], origin: Origin) -> Columns:
        """The columns of a split; `SpecError` where a set has no such split, or sets differ in rows."""
        return Columns(self.graph, self.sets, split, used, origin).on(self.opening.device)
