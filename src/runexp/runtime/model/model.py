"""The loaded model: tables in, predictions out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from runexp.plan.data import DataPlan
from runexp.plan.graph import NodePlan
from runexp.plan.judged import Judged
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.fitted import Fitted
from runexp.runtime.graph.graph import Graph
from runexp.runtime.model.predictions import NodePredictions, Predictions, said
from runexp.runtime.model.tables import as_source, read_keys

CHUNK = 1024  # rows a forward pass, as evaluations have them by default


class Model:
    """The nodes of a run with what they learned, and the transforms of their data. Imports none of the spec's data.

    `name` is the experiment's, `outputs` the nodes that `predict` asks unless told others, `kind` which of several
    models it is, such as `fold 3`; empty where there is one.
    """

    def __init__(
        self,
        name: str,
        graph: Graph,
        data: Mapping[str, DataPlan],
        references: Mapping[str, FeatureSet],
        *,
        judged: Mapping[str, Judged],
        outputs: Sequence[str],
        kind: str = "",
    ) -> None:
        self.name = name
        self.kind = kind
        self.outputs = tuple(outputs)
        self.graph = graph
        self._data = data
        self.references = references
        self._judged = judged

    def __repr__(self) -> str:
        read = ", ".join(f"{data}.{key}" for data, keys in self.reads(self.outputs).items() for key in keys)
        which = f", {self.kind}" if self.kind else ""
        return f"Model({self.name!r}{which}: {read} -> {', '.join(self.outputs)})"

    @property
    def modules(self) -> Mapping[str, torch.nn.Module]:
        """The torch modules by node, in eval mode."""
        return self.graph.modules

    @property
    def estimators(self) -> Mapping[str, Any]:
        """The fitted scikit-learn estimators by node."""
        return self.graph.estimators

    def predict(self, table: Any, *, nodes: Sequence[str] | None = None, chunk: int = CHUNK) -> Predictions:  # noqa: ANN401
        """What the nodes say of the rows of a table: a pandas or polars frame, an Arrow table, arrays by name, or one
        NumPy array; for several feature sets a mapping of their names to tables.

        The transforms of the training data are applied as they were fitted, and those of a target taken back. Raises
        `SpecError` for columns that are missing or do not fit, `KeyError` for an unknown node.
        """
        asked = tuple(nodes) if nodes is not None else self.outputs
        reads = self.reads(asked)
        tables = table if len(reads) > 1 else {next(iter(reads)): table}
        sets = {name: self._read(name, tables[name], keys) for name, keys in reads.items()}
        n_rows = next(iter(sets.values())).n_rows
        parts = [self._forward(asked, sets, slice(start, start + chunk)) for start in range(0, n_rows, chunk)]
        return Predictions({node: self._said(node, torch.cat([part[node] for part in parts])) for node in asked})

    def signature(self) -> dict[str, Any]:
        """Plain data: `inputs`, each column with the type and shape of a row, and `outputs`, each node likewise."""
        inputs = [
            {"data": name, "key": key, **column}
            for name, keys in self.reads(self.outputs).items()
            for key in keys
            for column in self._columns(name, key)
        ]
        return {"inputs": inputs, "outputs": [self._output(node) for node in self.outputs]}

    def _read(self, name: str, table: Any, keys: Sequence[str]) -> FeatureSet:  # noqa: ANN401 - any table
        reference = self.references[name]
        return read_keys(self._data[name], reference, as_source(table, reference, keys), keys)

    def _said(self, node: str, output: Tensor) -> NodePredictions:
        judged = self._judged.get(node)
        reference = self.references.get(judged.target[0]) if judged and judged.target else None
        return said(node, output, judged, reference)

    def _forward(self, asked: Sequence[str], sets: Mapping[str, FeatureSet], rows: slice) -> dict[str, Tensor]:
        values: dict[str, Any] = {}
        with torch.no_grad():
            for plan in self.needed(asked):
                given = [
                    values[feed.name] if feed.source == "node" else self._tensor(sets[feed.name], feed.key)[rows]
                    for feed in plan.feeds
                ]
                positional = [one for feed, one in zip(plan.feeds, given, strict=True) if not feed.argument]
                named = {feed.argument: one for feed, one in zip(plan.feeds, given, strict=True) if feed.argument}
                values[plan.name] = self.graph.call_of(plan.name)(*positional, **named)
        return {node: values[node] for node in asked}

    def _tensor(self, features: FeatureSet, key: str) -> Tensor:
        return features.tensor(key, self.graph.device)

    def needed(self, asked: Sequence[str]) -> list[NodePlan]:
        """The nodes that must run, in order."""
        wanted = set(asked)
        for name in wanted - self.graph.plans.keys():
            raise KeyError(name)
        for plan in reversed(self.graph.plans.values()):
            if plan.name in wanted:
                wanted |= {feed.name for feed in plan.feeds if feed.source == "node"}
        return [plan for plan in self.graph.plans.values() if plan.name in wanted]

    def reads(self, asked: Sequence[str]) -> dict[str, list[str]]:
        """The keys that are read, by feature set, in the order they were written."""
        feeds = [feed for plan in self.needed(asked) for feed in plan.feeds if feed.source == "data"]
        read = {(feed.name, feed.key) for feed in feeds}
        found = {name: [key.name for key in data.keys if (name, key.name) in read] for name, data in self._data.items()}
        return {name: keys for name, keys in found.items() if keys}

    def judged(self, node: str) -> Judged | None:
        """How a node was judged; None where it was not."""
        return self._judged.get(node)

    def scaled_target(self, node: str) -> tuple[str, tuple[Fitted, ...]] | None:
        """The transformed target that a node predicts, and its transforms in order; None where it decides or the target
        is as it was read."""
        judged = self._judged.get(node)
        if judged is None or judged.target is None or judged.decision != "as_is":
            return None
        data, key = judged.target
        transformed = self.references[data].transforms.get(key) if data in self.references else None
        return (f"{data}.{key}", transformed.steps) if transformed and transformed.steps else None

    def _columns(self, name: str, key: str) -> Iterator[dict[str, Any]]:
        raw = self.references[name].gathered[key].raw
        columns = self.references[name].columns.get(key, ()) or (key,)
        shape = list(raw.shape[1:]) if len(columns) == 1 else []
        for column in columns:
            yield {"column": column, "dtype": raw.dtype.name, "shape": [] if shape == [1] else shape}

    def _output(self, node: str) -> dict[str, Any]:
        example = self.graph.output(node)
        judged = self._judged.get(node)
        told: dict[str, Any] = {"node": node}
        if example is None:
            return told
        told |= {"dtype": str(example.dtype).removeprefix("torch."), "shape": list(example.shape[1:])}
        if judged and judged.target:
            told |= {"target": ".".join(judged.target), "classes": list(self._said(node, example).classes)}
        return told
