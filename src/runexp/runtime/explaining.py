"""Errors of torch in words that help: out of memory, and what cannot be repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch

from runexp.engine.live import Live
from runexp.plan.phases import EvalPlan, FitPlan, Leaf, TrainPlan
from runexp.runtime.data import FeatureSet
from runexp.runtime.graph.graph import Graph
from runexp.runtime.memory import held_bytes, memory_of

_ASKED_FOR = re.compile(r"tried to allocate (?P<bytes>\d+) bytes|(?P<size>[\d.]+ [KMGTP]?i?B)", re.IGNORECASE)
_UNREPEATABLE = re.compile(r"(\S+) does not have a deterministic implementation")
_SIGNS = ("can't allocate memory", "out of memory", "not enough memory", "cannot allocate memory", "std::bad_alloc")


class OutOfMemory(Exception):  # noqa: N818 - it reads as what happened
    """There was not enough memory for a step."""


class NotRepeatable(Exception):  # noqa: N818 - it reads as what happened
    """Something that cannot be repeated bit for bit was to be computed, and the spec asks for no such thing (S-50)."""


def is_shortage(error: BaseException) -> bool:
    """Whether an error is that memory ran out: of Python, NumPy, torch on the CPU or on a GPU."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in text for sign in _SIGNS)


def asked_for(error: BaseException) -> str:
    """How much could not be had, as far as it was told."""
    match = _ASKED_FOR.search(str(error))
    if match is None:
        return ""
    return f"{int(match['bytes']) / 1e9:,.3g} GB" if match["bytes"] else match["size"]


def explained(
    error: Exception, phase: Leaf, live: Live, *, graph: Graph, sets: Mapping[str, FeatureSet], device: torch.device
) -> Exception:
    """The error with where it was, what takes memory and what to change; any other error as it is."""
    unrepeatable = next((match[1] for one in _causes(error) if (match := _UNREPEATABLE.match(str(one)))), None)
    if unrepeatable is not None:
        return NotRepeatable(
            f"torch cannot compute `{unrepeatable}` so that it can be repeated bit for bit, which "
            "`execution.deterministic` asks for; another operation can, or leave it out"
        )
    cause = next((one for one in _causes(error) if is_shortage(one)), None)
    if cause is None:
        return error
    wanted = asked_for(cause)
    more = f": {wanted} more could not be had" if wanted else ""
    taken = ", ".join(_taken(phase, graph, sets))
    advice = "; ".join(_advice(phase, graph))
    message = f"out of memory in {_place(phase, live)}{more}; {_there(device)}; {taken}. Less takes: {advice}"
    found = OutOfMemory(message)
    if cause is not error:  # code of the user's, which is named with its place
        found.add_note(str(error).partition(" fails: ")[0])
    return found


def _causes(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__


def _place(phase: Leaf, live: Live) -> str:
    if isinstance(phase, TrainPlan):
        return f"epoch {live.epoch}, batch {live.batch} of `{phase.label}`"
    return f"chunk {live.batch} of `{phase.label}`" if isinstance(phase, EvalPlan) else f"`{phase.label}`"


def _there(device: torch.device) -> str:
    there = memory_of(device) / 1e9
    if device.type == "cuda":
        held = torch.cuda.memory_allocated(device) / 1e9
        return f"{held:,.3g} of {there:,.3g} GB of the GPU were held"
    return f"the process held {held_bytes() / 1e9:,.3g} of {there:,.3g} GB"


def _taken(phase: Leaf, graph: Graph, sets: Mapping[str, FeatureSet]) -> Iterator[str]:
    """The sizes that a person can do something about."""
    if isinstance(phase, TrainPlan):
        yield f"a batch is {phase.batch_size:,} rows"
    elif isinstance(phase, EvalPlan):
        yield f"a chunk is {phase.batch_size:,} rows"
    rows = {name: sets[name].n_rows_of(phase.split) for name in phase.data if phase.split in sets[name].splits}
    yield from (f"`{phase.split}` of {name} has {n:,} rows" for name, n in rows.items())
    names = phase.runs if isinstance(phase, FitPlan) else phase.nodes
    sizes = {name: _n_bytes(graph, name) for name in names}
    weights = sum(sizes.values())
    if weights:
        largest = max(sizes, key=lambda name: sizes[name])
        yield f"weights are {weights / 1e6:,.3g} MB, most of them in `{largest}`"


def _advice(phase: Leaf, graph: Graph) -> Iterator[str]:
    if isinstance(phase, TrainPlan):
        yield from _of_training(phase)
        yield from _of_nodes(phase, graph)
    elif isinstance(phase, EvalPlan):
        if phase.batch_size > 1:
            yield f"`batch_size: {phase.batch_size // 2}` (the numbers stay the same)"
        yield from _of_nodes(phase, graph)
    else:
        yield "fewer rows or columns, or an estimator that learns by batches (`partial_fit`) in a train phase"


def _of_training(phase: TrainPlan) -> Iterator[str]:
    if phase.batch_size > 1:
        size, times = phase.batch_size // 2, phase.accumulate * 2
        yield f"`batches: {{size: {size}}}` with `accumulate: {times}` (updates from as many rows)"
    if phase.precision == "fp32":
        yield "`precision: bf16`"


def _of_nodes(phase: TrainPlan | EvalPlan, graph: Graph) -> Iterator[str]:
    plans = [graph.plans[name] for name in phase.nodes if name in graph.modules]
    whole = [plan.name for plan in plans if not plan.chunk_size and _n_bytes(graph, plan.name)]
    kept = [plan.name for plan in plans if not plan.checkpointing and _n_bytes(graph, plan.name)]
    if whole:
        yield f"`chunk_size` on {_names(whole)} (so many rows at a time)"
    if kept and isinstance(phase, TrainPlan):
        yield f"`checkpoint_activations: true` on {_names(kept)} (computed again instead of kept)"


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:4]) + (", …" if len(names) > 4 else "")


def _n_bytes(graph: Graph, name: str) -> int:
    module = graph.modules.get(name)
    return sum(value.nbytes for value in module.parameters()) if module is not None else 0
