"""What a phase would run on, counted and measured without running it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from runexp.plan.phases import EvalPlan, FitPlan, TrainPlan
from runexp.runtime.graph.forward import slot_of
from runexp.runtime.lanes.opening import Opening
from runexp.runtime.lanes.table import LaneTable
from runexp.runtime.torch_runtime import TorchRuntime


@dataclass(frozen=True, slots=True)
class ArrayFacts:
    """An array's name, shape behind the rows (None: as many as the batch has rows), and dtype."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class ComputedFacts:
    """A node's output shape behind the rows (None until it is built, or where it gives several) and its parameters."""

    name: str
    shape: tuple[int, ...] | None
    n_trainable: int
    n_frozen: int
    is_built: bool


@dataclass(frozen=True, slots=True)
class RateFacts:
    """A group of the optimizer: its nodes, rate and number of parameters."""

    name: str
    lr: float
    n_parameters: int


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """One drawing of a phase: what it draws, how many batches an epoch, and which inputs of nodes it feeds."""

    name: str
    kind: str
    split: str
    size: int
    n_batches: int
    roles: tuple[str, ...]
    feeds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """A target of words, and the words that its codes 0, 1, … stand for."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Description:
    """The facts of one phase. `waits_for` are the estimators that must be fitted before it can run.

    `lanes` and `steps`, how their batches come, are empty where rows come alone and from one place.
    """

    device: str
    n_rows: int
    n_batches: int
    n_steps_an_epoch: int
    inputs: tuple[ArrayFacts, ...]
    nodes: tuple[ComputedFacts, ...]
    groups: tuple[RateFacts, ...]
    rates: tuple[float, ...]
    waits_for: tuple[str, ...]
    classes: tuple[ClassFacts, ...]
    notes: tuple[str, ...] = ()
    lanes: tuple[LaneFacts, ...] = ()
    steps: str = ""


def describe(runtime: TorchRuntime, phase: TrainPlan | EvalPlan | FitPlan) -> Description:
    """Describe a phase; what its estimators have not been fitted for is left open. Changes nothing."""
    names = phase.runs if isinstance(phase, FitPlan) else phase.nodes
    graph = runtime.graph
    learns = phase.learns if isinstance(phase, TrainPlan) else ()
    waits_for = tuple(
        name for name in names if graph.plans[name].is_estimator and name not in graph.estimators and name not in learns
    )
    trains = phase.trains if isinstance(phase, TrainPlan) else ()
    fits = isinstance(phase, FitPlan)
    is_ready = graph.is_built(name for name in names if name not in learns)
    n_rows = _n_rows(runtime, phase)
    n_batches = n_steps = 1
    groups: tuple[RateFacts, ...] = ()
    rates: tuple[float, ...] = ()
    if isinstance(phase, TrainPlan) and is_ready:
        program = runtime.open_train(phase)
        n_rows = program.n_rows
        n_batches, n_steps = program.n_batches, program.n_steps_an_epoch
        groups = tuple(RateFacts(*group) for group in program.groups())
        rates = program.rates(phase.n_steps or phase.n_epochs * n_steps)
        program.close()
    elif not isinstance(phase, FitPlan):
        n_rows = runtime.open_eval(phase).n_rows if isinstance(phase, EvalPlan) and phase.lanes and is_ready else n_rows
        n_batches = n_steps = -(-n_rows // phase.batch_size)
    return Description(
        device=runtime.device,
        n_rows=n_rows,
        n_batches=n_batches,
        n_steps_an_epoch=n_steps,
        inputs=_inputs(runtime, names, phase),
        nodes=tuple(_node(runtime, name, name in trains) for name in names),
        groups=groups,
        rates=rates,
        waits_for=() if fits else waits_for,
        classes=tuple(
            ClassFacts(f"{name}.{key}", words)
            for name in phase.data
            for key in runtime.sets[name].keys
            if (words := runtime.sets[name].classes(key))
        ),
        notes=tuple(_streamed(runtime, phase)),
        lanes=() if isinstance(phase, FitPlan) else describe_lanes(phase, runtime.tables),
        steps=_steps(phase) if isinstance(phase, TrainPlan) else "",
    )


def describe_lanes(phase: TrainPlan | EvalPlan, tables: Opening) -> tuple[LaneFacts, ...]:
    """The drawings of a phase, one for each strand; none where rows come alone and from one place."""
    table = tables.table(phase)
    if not isinstance(table, LaneTable):
        return ()
    facts = []
    for strand in table.wiring.strands:
        lane = table.wiring.lanes[strand.lane]
        sampler = table.samplers.get(strand.lane)
        n_batches = len(sampler.sizes(stream=strand.stream)) if sampler else -(-table.n_rows_of(lane) // lane.size)
        kind = lane.sampler.kind if lane.sampler else "rows"
        fed = [feed for feed in lane.feeds if feed.stream == strand.stream]
        called = tuple(dict.fromkeys(f"{feed.node} ({feed.call})" if feed.call else feed.node for feed in fed))
        facts.append(LaneFacts(str(strand), kind, lane.split, lane.size, n_batches, lane.roles, called))
    return tuple(facts)


def _steps(phase: TrainPlan) -> str:
    if sum(len(lane.streams) for lane in phase.lanes) < 2:
        return ""
    order, _, ending = phase.batch_schedule.partition("_")
    how = "side by side" if order == "zip" else "in turn; the others rest"
    until = "the shortest ends" if ending == "strict" else "the longest ends, the others begin anew"
    return f"{phase.batch_schedule}: batches of all lanes {how}, until {until}"


def _streamed(runtime: TorchRuntime, phase: TrainPlan | EvalPlan | FitPlan) -> Iterator[str]:
    for name in phase.data:
        stream = runtime.sets[name].stream
        if stream is not None:
            yield f"{name} is streamed: {stream.remark}"


def _n_rows(runtime: TorchRuntime, phase: TrainPlan | EvalPlan | FitPlan) -> int:
    if isinstance(phase, TrainPlan) and phase.lanes:
        return sum(runtime.sets[lane.data[0]].n_rows_of(lane.split) for lane in phase.lanes)
    return sum(runtime.sets[name].n_rows_of(phase.split) for name in phase.data[:1])


def _inputs(
    runtime: TorchRuntime, names: Sequence[str], phase: TrainPlan | EvalPlan | FitPlan
) -> tuple[ArrayFacts, ...]:
    plans = [runtime.graph.plans[name] for name in names]
    fed = [slot_of(feed) for plan in plans for feed in plan.feeds if feed.source == "data"]
    if isinstance(phase, TrainPlan):
        fed += [("data", feed.data, feed.key) for lane in phase.lanes for feed in lane.feeds]
    judged = [] if isinstance(phase, FitPlan) else phase.losses
    routed = [("data", route.name, route.key) for loss in judged for route in loss.routes if route.source == "data"]
    if isinstance(phase, FitPlan):
        routed = [("data", *target) for target in phase.targets.values()]
    pairs = dict.fromkeys(route.key for loss in judged for route in loss.routes if route.source == "pairs")
    arrays = tuple(
        ArrayFacts(f"{data}.{key}", tuple(runtime.sets[data].shape_of(key)), str(runtime.sets[data].dtype_of(key)))
        for _, data, key in dict.fromkeys([*fed, *routed])
    )
    return (*arrays, *(ArrayFacts(name, (None,), "float32") for name in pairs))


def _node(runtime: TorchRuntime, name: str, trains: bool) -> ComputedFacts:
    output: Tensor | None = runtime.graph.output(name)
    shape = tuple(output.shape[1:]) if output is not None else None
    module = runtime.graph.modules.get(name)
    count = sum(parameter.numel() for parameter in module.parameters()) if module is not None else 0
    return ComputedFacts(name, shape, count if trains else 0, 0 if trains else count, runtime.graph.is_built((name,)))
