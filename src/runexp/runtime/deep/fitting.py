"""Estimators fitted on a few rows, in a graph that is thrown away, to learn the shapes they give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.protocol import ExecutionContext
from runexp.plan.phases import FitPlan, Leaf
from runexp.runtime.columns import Columns
from runexp.runtime.data import FeatureSet
from runexp.runtime.deep.sampling import attempts
from runexp.runtime.fitting import FitProgram
from runexp.runtime.graph.graph import Graph

_NOT_FOR_FEW = frozenset({"unfittable"})
"""What may hold for some rows and not for all."""


def fit_some(
    phases: Sequence[Leaf], graph: Graph, sets: Mapping[str, FeatureSet], *, seed: int
) -> Iterator[Diagnostic]:
    """Fit what can be fitted in the order of the phases; what refuses all of its rows is found."""
    for phase in phases:
        if isinstance(phase, FitPlan):
            for name in phase.nodes:
                yield from _fit(
                    replace(phase, nodes=(name,), runs=_before(name, phase, graph)), name, graph, sets, seed
                )


def _fit(phase: FitPlan, name: str, graph: Graph, sets: Mapping[str, FeatureSet], seed: int) -> tuple[Diagnostic, ...]:
    if not _can_fit(phase, name, graph, sets):
        return ()
    found: tuple[Diagnostic, ...] = ()
    for some, is_all in attempts(sets, phase.split, phase.data):
        try:
            columns = Columns(graph, some, phase.split, phase.data, phase.origin)
            FitProgram(phase, graph, columns, seed).step(ExecutionContext(phase.label, 0, 0, ()))
        except NotImplementedError:  # fed by a module without weights
            return ()
        except SpecError as error:
            found = tuple(item for item in error.diagnostics if is_all or item.code not in _NOT_FOR_FEW)
        else:
            return ()
        if name in graph.estimators or is_all:
            return found
    return found


def _can_fit(phase: FitPlan, name: str, graph: Graph, sets: Mapping[str, FeatureSet]) -> bool:
    """Whether all that it is given exists by now."""
    keys = [(feed.name, feed.key) for run in phase.runs for feed in graph.plans[run].feeds if feed.source == "data"]
    if name in phase.targets:
        keys.append(tuple(phase.targets[name]))
    is_there = all(key in sets[data].gathered for data, key in keys)
    is_divided = all(phase.split in sets[data].splits for data in phase.data)
    before = [run for run in phase.runs if run != name]
    return is_there and is_divided and graph.is_built(before)


def _before(name: str, phase: FitPlan, graph: Graph) -> tuple[str, ...]:
    """A node and what feeds it, in topological order."""
    needed = {name}
    for run in reversed(phase.runs):
        if run in needed:
            needed |= {feed.name for feed in graph.plans[run].feeds if feed.source == "node"}
    return tuple(run for run in phase.runs if run in needed)
