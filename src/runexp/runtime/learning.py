"""A train phase of estimators made ready: each batch goes to `partial_fit` (S-24)."""

from __future__ import annotations

import copy
import inspect
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.protocol import EpochRecord, ExecutionContext
from runexp.plan.guards import OnNan
from runexp.plan.phases import TrainPlan
from runexp.runtime.data.problems import first_line
from runexp.runtime.data.table import Array
from runexp.runtime.graph.estimators import as_matrix, make_estimator
from runexp.runtime.graph.forward import Forward, Slot, slot_of
from runexp.runtime.graph.graph import Graph
from runexp.runtime.lanes.column import Column
from runexp.runtime.lanes.draws import open_draws
from runexp.runtime.lanes.table import PhaseTable
from runexp.runtime.moving import UpdateWatcher
from runexp.runtime.own_code import running
from runexp.runtime.resolve import REFUSALS


class PartialFitProgram:
    """Draws batches and gives each to estimators, which take another step from where they stand.

    An estimator is copied at the start of every epoch, so that whoever holds the one of before, such as a preview or an
    evaluation, keeps it as it was.
    """

    def __init__(self, plan: TrainPlan, graph: Graph, columns: PhaseTable, seed: int) -> None:
        self.label = plan.label
        self.trained: Mapping[str, nn.Parameter] = {}
        self.watchers: list[UpdateWatcher] = []
        self._plan = plan
        self._graph = graph
        self._seed = seed
        upstream = [name for name in plan.nodes if name not in plan.learns]
        self._forward = Forward(graph, upstream, columns.hoisted(upstream), columns.wiring)
        self._forward.add_columns([slot for name, target in plan.learns.items() for slot in self._reads(name, target)])
        self._columns = columns
        self._draws = open_draws(plan, columns, self._forward.columns, seed)
        self.n_rows = columns.n_rows
        self.n_batches = self.n_steps_an_epoch = self._draws.n_batches
        if not self.n_batches:
            message = f"`{plan.split}` has too few rows for one full batch of {plan.batch_size}"
            hint = "a smaller `size`, or no `drop_last`"
            raise SpecError([Diagnostic("no-batch", message, plan.origin.span, help=hint, path=plan.origin.path)])
        self._sizes = self._draws.sizes()
        self._n_steps = 0
        self._options: dict[str, dict[str, Array]] = {}
        graph.set_modes(())

    def draw(self, epoch: int, start: int = 0) -> Iterator[Sequence[Tensor]]:
        """The batches of an epoch from the `start`-th on; estimators are copied before the first."""
        self._sizes = self._draws.sizes(epoch)
        for name in self._plan.learns:
            if not start and name in self._graph.estimators:
                self._graph.set_estimator(name, copy.deepcopy(self._graph.estimators[name]))
        return self._draws.draw(epoch, start)

    def step(self, context: ExecutionContext) -> None:
        """One `partial_fit` of every estimator; what waited for one that is new is built."""
        with torch.no_grad():
            values = self._forward(context.batches)
        for name, target in self._plan.learns.items():
            given = [values[self._forward.slot(slot)] for slot in self._reads(name, target)]
            inputs = given[:-1] if target else given
            self._fit(name, as_matrix(inputs), [_array(given[-1])] if target else [])
        self._n_steps += 1

    def take_record(self) -> EpochRecord:
        """The rows of each batch; there are no losses."""
        rows = array("q", self._sizes[: self._n_steps])
        self._n_steps = 0
        return EpochRecord(rows, {})

    def latest(self) -> Mapping[str, float]:
        """Nothing is measured in a batch."""
        return {}

    def guard(self, on_nan: OnNan, meet: Callable[[str, float, int], None]) -> None:
        """There are no losses to meet."""

    def rows(self, epoch: int, batch: int) -> Mapping[str, Sequence[Any]]:
        """The ids of the rows of a batch, by feature set; empty where they are not known, as of a stream."""
        return self._columns.ids(self._draws.places(epoch, batch))

    def groups(self) -> list[tuple[str, float, int]]:
        """There is no optimizer."""
        return []

    def rates(self, n_steps: int) -> tuple[float, ...]:
        """There are no rates."""
        return ()

    def after_epoch(self, measured: Mapping[str, float]) -> None:
        """No schedule follows the numbers."""

    def state(self) -> Mapping[str, Any]:
        """How many batches were taken; the estimators are kept with the graph."""
        return {"optimizer": {}, "n_steps": self._n_steps}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""
        self._n_steps = state["n_steps"]

    def close(self) -> None:
        """Nothing is held."""

    @property
    def batch_sizes(self) -> Sequence[int]:
        """The rows of each batch of the epoch that is drawn."""
        return self._sizes

    def _fit(self, name: str, inputs: Array, targets: list[Array]) -> None:
        plan = self._graph.plans[name]
        is_new = name not in self._graph.estimators
        estimator: Any = make_estimator(plan, self._seed) if is_new else self._graph.estimators[name]
        try:
            with running(plan.calls[0]):
                estimator.partial_fit(inputs, *targets, **self._classes(name, estimator))
        except REFUSALS as error:
            message = f"the estimator `{name}` cannot learn from a batch: {first_line(error)}"
            raise SpecError([Diagnostic("unfittable", message, plan.origin.span, path=plan.origin.path)]) from error
        if is_new:
            self._graph.set_estimator(name, estimator)

    def _classes(self, name: str, estimator: Any) -> dict[str, Array]:  # noqa: ANN401 - scikit-learn is untyped
        """The classes of the split, for a classifier that has to know them before it sees them all."""
        target = self._plan.learns[name]
        if name not in self._options:
            takes = target and "classes" in inspect.signature(estimator.partial_fit).parameters
            self._options[name] = {"classes": _distinct(self._columns.drawn(("data", *target)))} if takes else {}
        return self._options[name]

    def _reads(self, name: str, target: tuple[str, str] | None) -> list[Slot]:
        feeds: list[Slot] = [slot_of(feed) for feed in self._graph.plans[name].feeds]
        return [*feeds, ("data", *target)] if target else feeds


def _distinct(column: Column) -> Array:
    """The values that a column has, ascending."""
    return np.unique(np.concatenate([np.unique(_array(part)) for part in column.parts()]))


def _array(values: Tensor) -> Array:
    return np.asarray(values.cpu())
