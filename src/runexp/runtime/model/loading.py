"""Files of a run or of a bundle → a model. Reads no data of the spec's, unpickles nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from runexp.diagnostics import SpecError
from runexp.plan.experiment import Plan
from runexp.plan.graph import NodePlan
from runexp.plan.judged import judged_nodes
from runexp.plan.values import FrozenMap
from runexp.runtime.data import FeatureSet, load_transformer
from runexp.runtime.data.tokenizer import FOLDER as TOKENIZERS
from runexp.runtime.data.tokenizer import load_tokenizer
from runexp.runtime.graph.graph import Graph
from runexp.runtime.model.facts import Facts, stand_in
from runexp.runtime.model.model import Model
from runexp.runtime.model.problems import CannotLoad
from runexp.runtime.randomness import kept_randomness
from runexp.runtime.torch_runtime import choose_device


@dataclass(frozen=True, slots=True)
class Parts:
    """Where a model lies: the folder of a run or bundle, its checkpoint, its plan, and the facts of its data.

    `transforms` are the folders in which fitted transforms are looked for, one after the other. `modules` makes code
    that the nodes name importable. `kind` says in words which of several models it is.
    """

    folder: Path
    checkpoint: Path
    transforms: tuple[Path, ...]
    plan: Plan
    facts: Facts
    modules: Callable[[], AbstractContextManager[object]]
    kind: str = ""


def load_parts(parts: Parts, *, nodes: Sequence[str] | None, device: str) -> Model:
    """The model of some nodes; None: of those that were judged, or the last ones of the graph.

    `CannotLoad` where files are missing or damaged, or there is no such node.
    """
    judged = judged_nodes(parts.plan)
    asked = tuple(nodes) if nodes is not None else _outputs(parts.plan, judged)
    needed = _needed(parts.plan, asked)
    place = _device(device)
    data = {plan.name: plan for plan in parts.plan.data if plan.name in parts.facts}
    try:
        with kept_randomness(), parts.modules():
            references = {name: _reference(parts, name) for name in data}
            graph = _graph(parts, needed, references, place)
    except SpecError as error:
        raise CannotLoad(f"the graph cannot be built again: {error}") from error
    except (OSError, ValueError, LookupError) as error:
        raise CannotLoad(f"{parts.folder} cannot be loaded: {error}") from error
    return Model(parts.plan.name, graph, data, references, judged=judged, outputs=asked, kind=parts.kind)


def _device(name: str) -> torch.device:
    try:
        return choose_device(name)
    except (SpecError, RuntimeError) as error:
        raise CannotLoad(f"there is no device `{name}` here: `cpu`, or `auto` takes what there is") from error


def _outputs(plan: Plan, judged: Mapping[str, Any]) -> tuple[str, ...]:
    """The nodes that were judged and can be asked about single rows; else those that feed no other."""
    by_rows = {node.name for node in plan.nodes if not _compares(plan, node)}
    found = tuple(name for name in judged if name in by_rows)
    if found:
        return found
    feeding = {feed.name for node in plan.nodes for feed in node.feeds if feed.source == "node"}
    last = tuple(node.name for node in plan.nodes if node.name in by_rows - feeding)
    return last or tuple(node.name for node in plan.nodes if node.name in by_rows)[-1:]


def _compares(plan: Plan, node: NodePlan) -> bool:
    """Whether a node, or one before it, compares rows that were drawn together."""
    return any(feed.role for one in _needed(plan, (node.name,)) for feed in one.feeds)


def _needed(plan: Plan, asked: Sequence[str]) -> tuple[NodePlan, ...]:
    known = [node.name for node in plan.nodes]
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise CannotLoad(f"there is no node `{unknown[0]}`; nodes: {', '.join(known)}")
    wanted = set(asked)
    for node in reversed(plan.nodes):
        if node.name in wanted:
            wanted |= {feed.name for feed in node.feeds if feed.source == "node"}
    return tuple(node for node in plan.nodes if node.name in wanted)


def _reference(parts: Parts, name: str) -> FeatureSet:
    plan = next(one for one in parts.plan.data if one.name == name)

    def transformer(data: str, key: str, index: int) -> Any:  # noqa: ANN401 - any transformer
        paths = (folder / data / f"{key}-{index}.skops" for folder in parts.transforms)
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            raise CannotLoad(f"the transform {index} of `{data}.{key}` could not be kept in a file by the run")
        return load_transformer(path)

    tokenizer = load_tokenizer(parts.folder / TOKENIZERS / f"{name}.json") if plan.tokenizer else None
    return stand_in(plan, parts.facts, transformer, tokenizer)


def _graph(parts: Parts, needed: Sequence[NodePlan], sets: Mapping[str, FeatureSet], device: torch.device) -> Graph:
    plans = [replace(node, weights=None, init=FrozenMap()) for node in needed]
    graph = Graph(plans, sets, device, parts.plan.seed, folder=parts.folder)
    graph.build()
    for plan in plans:
        if plan.is_estimator:
            path = parts.checkpoint / "estimators" / f"{plan.name}.skops"
            if not path.is_file():
                raise CannotLoad(f"the estimator `{plan.name}` was not fitted, or could not be kept in a file")
            graph.set_estimator(plan.name, load_transformer(path))
    _put_weights(graph, parts.checkpoint / "weights.safetensors")
    return graph


def _put_weights(graph: Graph, path: Path) -> None:
    values = load_file(path)
    for name, module in graph.modules.items():
        own = {key.removeprefix(f"{name}."): value for key, value in values.items() if key.startswith(f"{name}.")}
        try:
            module.load_state_dict(own)
        except RuntimeError as error:
            raise CannotLoad(f"the weights of `{name}` do not fit it: {error}") from error
