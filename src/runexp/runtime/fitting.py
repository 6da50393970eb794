"""A fit phase made ready: estimators fitted in topological order, each on what the one before gives (S-24)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.protocol import ExecutionContext
from runexp.plan.phases import FitPlan
from runexp.runtime.columns import Columns
from runexp.runtime.data.problems import first_line
from runexp.runtime.graph.estimators import as_matrix, make_estimator
from runexp.runtime.graph.forward import slot_of
from runexp.runtime.graph.graph import Graph
from runexp.runtime.own_code import running
from runexp.runtime.resolve import REFUSALS
from runexp.runtime.streaming.fitting import fit_on_stream


class FitProgram:
    """Fits every estimator of the plan on all rows of a split."""

    def __init__(self, plan: FitPlan, graph: Graph, columns: Columns, seed: int) -> None:
        self._plan = plan
        self._graph = graph
        self._columns = columns
        self._seed = seed
        self.n_rows = columns.n_rows

    def draw(self) -> Iterator[Sequence[Tensor]]:
        """The one batch: nothing is drawn, estimators take whole columns."""
        yield ()

    def step(self, context: ExecutionContext) -> None:
        """Fit in topological order; what depends on a fitted node is built at once."""
        if self._columns.is_streamed:
            self._fit_on_stream()
            return
        outputs: dict[str, Tensor] = {}
        plans = [self._graph.plans[name] for name in self._plan.runs]
        feeding = {feed.name for plan in plans for feed in plan.feeds if feed.source == "node"}
        for plan in plans:
            name = plan.name
            inputs = [
                outputs[feed.name] if feed.source == "node" else self._columns.column(slot_of(feed))
                for feed in plan.feeds
            ]
            if name in self._plan.nodes:
                self._fit(name, inputs)
            if name in feeding:
                outputs[name] = self._output(name, inputs)
        if self._plan.freeze_after_fit:
            self._graph.freeze(self._plan.nodes)

    def _fit_on_stream(self) -> None:
        for name in self._plan.runs:
            if name in self._plan.nodes:
                with self._blaming(name):
                    estimator = fit_on_stream(self._plan, name, self._graph, self._columns, self._seed)
                self._graph.set_estimator(name, estimator)
        if self._plan.freeze_after_fit:
            self._graph.freeze(self._plan.nodes)

    @contextmanager
    def _blaming(self, name: str) -> Iterator[None]:
        origin = self._graph.plans[name].origin
        try:
            yield
        except REFUSALS as error:
            message = f"the estimator `{name}` cannot be fitted: {first_line(error)}"
            raise SpecError([Diagnostic("unfittable", message, origin.span, path=origin.path)]) from error

    def _fit(self, name: str, inputs: Sequence[Tensor]) -> None:
        plan = self._graph.plans[name]
        estimator: Any = make_estimator(plan, self._seed)
        target = self._plan.targets.get(name)
        arguments = [as_matrix(inputs)]
        if target is not None:
            arguments.append(np.asarray(self._columns.column(("data", *target)).cpu()))
        with self._blaming(name), running(plan.calls[0]):
            estimator.fit(*arguments)
        self._graph.set_estimator(name, estimator)

    def _output(self, name: str, inputs: Sequence[Tensor]) -> Tensor:
        if name in self._graph.estimators:
            applied: Tensor = self._graph.call_of(name)(*inputs)
            return applied
        feeds = self._graph.plans[name].feeds
        positional = [value for feed, value in zip(feeds, inputs, strict=True) if not feed.argument]
        keyword = {feed.argument: value for feed, value in zip(feeds, inputs, strict=True) if feed.argument}
        with torch.no_grad():
            output: Tensor = self._graph.call_of(name)(*positional, **keyword)
        return output
