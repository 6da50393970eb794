"""The phases that go through their rows once: an evaluation, and a fit in closed form."""

from __future__ import annotations

from collections.abc import Iterator

from runexp.engine.protocol import EvalProgram, ExecutionContext, FitProgram
from runexp.engine.surroundings import Surroundings
from runexp.events import NodeFitted
from runexp.plan.phases import EvalPlan, FitPlan


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
