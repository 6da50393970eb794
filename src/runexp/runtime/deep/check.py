"""The deep check: data, then the graph, then every phase, each as far as the mistakes before it allow."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.experiment import Plan, leaves
from runexp.plan.phases import Leaf
from runexp.plan.picture import Size
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.problems import collecting
from runexp.runtime.deep.advice import advise
from runexp.runtime.deep.fitting import fit_some
from runexp.runtime.deep.phases import try_phases
from runexp.runtime.deep.sampling import Sampled, SomeFold, is_large, sample
from runexp.runtime.deep.sizes import Sizes, measure, too_large
from runexp.runtime.folds.divide import divide_folds
from runexp.runtime.folds.fold import Rows
from runexp.runtime.graph.graph import Graph
from runexp.runtime.graph.sizes import sizes_of
from runexp.runtime.rehearsal import Rehearsal
from runexp.runtime.torch_runtime import choose_device

_META_TALK = re.compile(r"'Meta'|\bmeta (tensor|device)|(device|on) meta\b")
_CPU, _META = torch.device("cpu"), torch.device("meta")
_MOST_PARAMETERS = 20_000_000
"""A graph with more is known by its shapes alone."""


@dataclass(frozen=True, slots=True)
class Deep:
    """What a deep check found, how large the spec is, and what was not looked at."""

    diagnostics: tuple[Diagnostic, ...]
    sizes: Sizes
    notes: tuple[str, ...]
    drawn: Mapping[str, Size]
    """The sizes of the nodes that could be built, and of the keys of the data, for pictures of the graph."""


def deep_check(plan: Plan, *, folder: Path) -> Deep:
    """Try a plan without training anything or writing anything; torch's random state is put back."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries warn of what a few rows and untrained weights give
        return _check(plan, folder)


def _check(plan: Plan, folder: Path) -> Deep:
    device, found = _device(plan)
    folded = _first_fold(plan, folder, found)
    sampled = {data.name: sample(data, seed=plan.seed, folder=folder, fold=folded.get(data.name)) for data in plan.data}
    found += [item for one in sampled.values() for item in one.found]
    found += advise(plan, sampled)
    sets = {name: one.features for name, one in sampled.items()}
    phases = list(leaves(plan.in_fold().phases))
    light, misfits = _build(plan, phases, sets, folder=folder, is_weightless=True)
    rehearsal = Rehearsal(light, sets, _META, plan.seed)
    sizes = measure(phases, rehearsal, sampled, device=device)
    is_small = sizes.n_parameters <= _MOST_PARAMETERS
    graph = light
    if is_small:
        graph, misfits = _build(plan, phases, sets, folder=folder, is_weightless=False)
    found += misfits
    tried = Rehearsal(graph, sets, _CPU if is_small else _META, plan.seed)
    seen = try_phases(phases, tried, sampled, computes=is_small)
    found += seen if is_small else _without_meta(seen)
    found += too_large(sizes, phases)
    return Deep(_distinct(found), sizes, _notes(sampled, is_small=is_small), sizes_of(graph, sets))


def _first_fold(plan: Plan, folder: Path, found: list[Diagnostic]) -> dict[str, SomeFold]:
    """The rows of the first fold by feature set; large sets are looked at without being divided."""
    if plan.cv is None:
        return {}
    rows: Rows = {}
    asked = [data for data in plan.data if plan.cv.of(data.name)]
    with collecting(found):
        if not any(is_large(data, folder) for data in asked):
            rows = divide_folds(plan, folder=folder).folds[0].rows
    return {data.name: SomeFold(rows.get(data.name, {}), plan.cv.parts) for data in asked}


def _device(plan: Plan) -> tuple[torch.device, list[Diagnostic]]:
    try:
        return choose_device(plan.execution.device), []
    except SpecError as error:
        return _CPU, list(error.diagnostics)


def _build(
    plan: Plan, phases: Sequence[Leaf], sets: Mapping[str, FeatureSet], *, folder: Path, is_weightless: bool
) -> tuple[Graph, list[Diagnostic]]:
    """The graph as far as it can be built, its estimators fitted on a few rows."""
    graph = Graph(plan.nodes, sets, _CPU, plan.seed, is_weightless=is_weightless, folder=folder)
    found: list[Diagnostic] = []
    try:
        graph.build()
    except SpecError as error:
        found += error.diagnostics
    found += fit_some(phases, graph, sets, seed=plan.seed)
    return graph, _without_meta(found) if is_weightless else found


def _without_meta(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """What is no mistake of the spec is left out: not every operation is known on torch's meta device."""
    return [item for item in found if not _META_TALK.search(item.message)]


def _distinct(found: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Each mistake once, whichever phase or graph met it first; a gap in labels is no news where they misfit."""
    misfits = any(item.code == "wrong-classes" for item in found)
    told: dict[tuple[str, str, str], Diagnostic] = {}
    for item in found:
        if not (misfits and item.code == "label-gap"):
            what = item.message if item.path.startswith("data.") else ""  # a key has many columns
            told.setdefault((item.code, item.path, what), item)
    return tuple(told.values())


def _notes(sets: Mapping[str, Sampled], *, is_small: bool) -> tuple[str, ...]:
    notes = [
        f"`{name}` is large: the first {one.features.n_rows:,} of its {one.n_rows:,} rows were looked at"
        for name, one in sets.items()
        if not one.is_whole
    ]
    if not is_small:
        notes.append("the graph is large: only its shapes were checked, and no metric was computed")
    return tuple(notes)
