"""What a spec would take: rows, bytes of data, parameters, optimizer state and activations. Rough, from shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from runexp.diagnostics import Diagnostic, Severity, SpecError
from runexp.plan.phases import EvalPlan, FitPlan, Leaf, OptimizerPlan, TrainPlan
from runexp.runtime.data.few_rows import few_rows
from runexp.runtime.deep.sampling import Sampled
from runexp.runtime.graph.forward import Forward
from runexp.runtime.graph.graph import Graph
from runexp.runtime.memory import memory_of
from runexp.runtime.rehearsal import Rehearsal

_STATES: Mapping[str, int] = {
    "Adadelta": 2, "Adagrad": 1, "Adam": 2, "AdamW": 2, "Adamax": 2, "ASGD": 1, "LBFGS": 200, "NAdam": 2, "RAdam": 2,
    "RMSprop": 1, "Rprop": 2,
}  # fmt: skip
"""Numbers that an optimizer keeps for each parameter; SGD keeps one with momentum."""


@dataclass(frozen=True, slots=True)
class DataSize:
    """Rows of a feature set and the bytes of its arrays in memory; estimates where it was not read whole."""

    name: str
    n_rows: int
    n_bytes: int
    is_estimate: bool


@dataclass(frozen=True, slots=True)
class PhaseSize:
    """Bytes of one phase: what it trains, and the outputs of all modules for one batch."""

    label: str
    n_trainable: int
    gradients: int
    optimizer: int
    activations: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of one spec. `memory` is what the machine (or its GPU) has, 0 where that is unknown."""

    data: tuple[DataSize, ...]
    n_parameters: int
    weights: int
    phases: tuple[PhaseSize, ...]
    memory: int

    def peak(self, phase: PhaseSize) -> int:
        """Bytes while a phase runs."""
        data = sum(item.n_bytes for item in self.data)
        return data + self.weights + phase.gradients + phase.optimizer + phase.activations


def measure(
    phases: Sequence[Leaf], rehearsal: Rehearsal, sets: Mapping[str, Sampled], *, device: torch.device
) -> Sizes:
    """The sizes of a spec on a graph without weights."""
    modules = rehearsal.graph.modules.values()
    return Sizes(
        data=tuple(_data(sampled) for sampled in sets.values()),
        n_parameters=sum(parameter.numel() for module in modules for parameter in module.parameters()),
        weights=sum(_bytes(module) for module in modules),
        phases=tuple(_phase(phase, rehearsal) for phase in phases if not isinstance(phase, FitPlan)),
        memory=memory_of(device),
    )


def too_large(sizes: Sizes, phases: Sequence[Leaf]) -> Iterator[Diagnostic]:
    """A warning at the phase that needs most, if that is more than there is."""
    largest = max(sizes.phases, key=sizes.peak, default=None)
    if largest is None or not sizes.memory or sizes.peak(largest) <= sizes.memory:
        return
    origin = next(phase.origin for phase in phases if phase.label == largest.label)
    needed, there = sizes.peak(largest) / 1e9, sizes.memory / 1e9
    yield Diagnostic(
        "too-large",
        f"`{largest.label}` takes about {needed:.3g} GB, and there are {there:.3g} GB of memory",
        origin.span,
        help=_saving(sizes, largest),
        severity=Severity.WARNING,
        path=origin.path,
    )


def _saving(sizes: Sizes, phase: PhaseSize) -> str:
    parts = {
        "the data take most: fewer columns, or a smaller dtype": sum(item.n_bytes for item in sizes.data),
        "weights and what trains them take most: smaller layers": sizes.weights + phase.gradients + phase.optimizer,
        "activations take most: a smaller batch with `accumulate`": phase.activations,
    }
    return max(parts, key=lambda part: parts[part])


def _data(sampled: Sampled) -> DataSize:
    features = sampled.features
    arrays = [
        array for item in features.gathered.values() for array in {id(a): a for a in (item.raw, item.exact)}.values()
    ]
    arrays += [item.values for item in features.transforms.values()]
    n_bytes = sum(array.nbytes for array in arrays)
    stream = sampled.plan.stream
    if stream is not None and features.n_rows:  # the windows that are read ahead, the one filled, the one drawn from
        n_held = min(stream.buffer * (stream.prefetch + 3), sampled.n_rows)
        n_bytes = round(n_bytes / features.n_rows * n_held)
    elif not sampled.is_whole and features.n_rows:
        n_bytes = round(n_bytes / features.n_rows * sampled.n_rows)
    return DataSize(features.name, sampled.n_rows, n_bytes, is_estimate=not sampled.is_whole)


def _phase(phase: TrainPlan | EvalPlan, rehearsal: Rehearsal) -> PhaseSize:
    graph = rehearsal.graph
    trained = (
        [graph.modules[name] for name in phase.trains if name in graph.modules] if isinstance(phase, TrainPlan) else []
    )
    parameters = [parameter for module in trained for parameter in module.parameters()]
    gradients = sum(parameter.nbytes for parameter in parameters)
    kept = max(map(_kept, phase.optimizers), default=0) if isinstance(phase, TrainPlan) else 0
    size = phase.batch_size * max((len(lane.roles) for lane in phase.lanes), default=1)
    n_trainable = sum(parameter.numel() for parameter in parameters)
    return PhaseSize(phase.label, n_trainable, gradients, kept * gradients, _activations(phase, rehearsal, size))


def _kept(plan: OptimizerPlan) -> int:
    name = plan.call.target.rpartition(":")[2].rpartition(".")[2]
    if name == "LBFGS":
        return 2 * int(plan.call.arguments.get("history_size", 100))
    extra = sum(bool(plan.call.arguments.get(option)) for option in ("momentum", "amsgrad", "centered"))
    return _STATES.get(name, 0) + extra


def _activations(phase: TrainPlan | EvalPlan, rehearsal: Rehearsal, size: int) -> int:
    """Bytes of what every innermost module gives for a batch, by what a row takes."""
    graph = rehearsal.graph
    if not graph.is_built(phase.nodes):
        return 0
    known = [rehearsal.sets[name].splits for name in phase.data]
    if not known or any(phase.split not in splits for splits in known):
        return 0
    n_all = min(len(splits[phase.split]) for splits in known)
    some = replace(rehearsal, sets=few_rows(rehearsal.sets, phase.split, phase.data, 2))
    try:
        columns = some.columns(phase.split, phase.data, phase.origin)
    except SpecError:  # sets of unequal length, which the phase will say
        return 0
    forward = Forward(graph, phase.nodes, columns.hoisted(phase.nodes))
    batch = [columns.drawn(slot).first(2) for slot in forward.columns]
    n_rows = min((len(column) for column in batch), default=0)
    if not n_rows:
        return 0
    with _counting(graph, phase.nodes) as counted, torch.no_grad():
        forward(batch)
    return sum(counted) * min(size, n_all) // n_rows


@contextmanager
def _counting(graph: Graph, nodes: Sequence[str]) -> Iterator[list[int]]:
    counted: list[int] = []

    def count(module: nn.Module, inputs: Any, output: Any) -> None:  # noqa: ANN401 - whatever a module gives
        outputs = output if isinstance(output, (tuple, list)) else [output]
        counted.extend(value.nbytes for value in outputs if isinstance(value, Tensor))

    modules = [graph.modules[name] for name in nodes if name in graph.modules]
    inner = [part for module in modules for part in module.modules() if not any(True for _ in part.children())]
    hooks = [part.register_forward_hook(count) for part in inner]
    try:
        yield counted
    finally:
        for hook in hooks:
            hook.remove()


def _bytes(module: nn.Module) -> int:
    return sum(value.nbytes for value in (*module.parameters(), *module.buffers()))
