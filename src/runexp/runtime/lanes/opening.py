"""The table of a phase opened: rows of its splits, samplers over them, and what cannot meet refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from runexp.diagnostics import Diagnostic
from runexp.plan.lanes import LanePlan, Wiring
from runexp.plan.phases import EvalPlan, FitPlan, TrainPlan
from runexp.runtime.columns import Columns
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.problems import collecting, stop_at
from runexp.runtime.graph.graph import Graph
from runexp.runtime.lanes.table import LaneTable, fixed_rows
from runexp.runtime.sampling import RowSampler, make_sampler


@dataclass(frozen=True, slots=True)
class Opening:
    """What tables are made from."""

    graph: Graph
    sets: Mapping[str, FeatureSet]
    device: torch.device
    seed: int

    def columns(self, plan: TrainPlan | EvalPlan | FitPlan) -> Columns:
        """The one lane of a phase whose rows come alone; `SpecError` where sets do not fit together."""
        return Columns(self.graph, self.sets, plan.split, plan.data, plan.origin).on(self.device)

    def table(self, plan: TrainPlan | EvalPlan) -> Columns | LaneTable:
        """The columns of all lanes; `SpecError` with all that cannot work."""
        if not plan.lanes:
            return self.columns(plan)
        nodes = [node for name, node in self.graph.plans.items() if name in plan.nodes]
        routes = [route for loss in plan.losses for route in loss.routes]
        routes += [route for item in (plan.metrics if isinstance(plan, EvalPlan) else ()) for route in item.routes]
        wiring = Wiring(nodes, plan.lanes, [(route.name, route.role) for route in routes if route.source == "node"])
        parts: dict[str, Columns] = {}
        samplers: dict[str, RowSampler] = {}
        wrong: list[Diagnostic] = []
        for lane in plan.lanes:
            with collecting(wrong):
                parts[lane.name] = Columns(self.graph, self.sets, lane.split, lane.data, lane.origin).on(self.device)
                if lane.sampler is not None:
                    samplers[lane.name] = self._sampler(lane, plan)
        stop_at(wrong)
        fixed = fixed_rows(wiring, parts, samplers) if isinstance(plan, EvalPlan) else None
        return LaneTable(wiring, parts, samplers, fixed)

    def _sampler(self, lane: LanePlan, plan: TrainPlan | EvalPlan) -> RowSampler:
        sampler = lane.sampler
        if sampler is None:
            raise ValueError(f"the lane `{lane.name}` has no sampler")
        features = self.sets[sampler.data]
        rows = features.splits[lane.split]
        columns = {key: features.raw(key)[rows] for key in sampler.columns}
        if isinstance(plan, EvalPlan):  # the same pairs, whoever asks and whenever
            return make_sampler(replace(sampler, shuffle=False), columns, len(rows), self.seed, "evaluation")
        # Lanes of one phase must not draw in step: the first has the order that it would have alone.
        phase = plan.label if lane.name == plan.lanes[0].name else f"{plan.label}/{lane.name}"
        return make_sampler(sampler, columns, len(rows), self.seed, phase)
