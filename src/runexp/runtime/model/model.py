"""The loaded model: tables in, predictions out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from runexp.plan.data import DataPlan, WindowPlan
from runexp.plan.graph import Feed, NodePlan
from runexp.plan.judged import Judged
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.fitted import Fitted
from runexp.runtime.data.problems import first_line
from runexp.runtime.graph.graph import Graph
from runexp.runtime.model.predictions import NodePredictions, Predictions, said
from runexp.runtime.model.problems import CannotPredict
from runexp.runtime.model.reading import Reading, Steps
from runexp.runtime.model.sequences import Tokens, by_step, said_by_step
from runexp.runtime.model.tables import RoleSource, as_source, read_keys

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
        NumPy array; for several feature sets a mapping of their names to tables; of tokens a text.

        The transforms of the training data are applied as they were fitted, and those of a target taken back. Of data
        seen through windows there is a prediction for each window, in the order of groups and time, or for each row
        where the target has a value for each; nothing that would follow on a window need be there. Where a node
        compares rows, a line is about all of them, and columns end with their role (`age.anchor`); or the table is a
        mapping of roles to tables. Raises `SpecError` for columns that are missing or do not fit, `CannotPredict` for
        rows that the model cannot take, `KeyError` for an unknown node.
        """
        return next(self.predict_parts(table, nodes=nodes, chunk=chunk))

    def predict_parts(
        self,
        table: Any,  # noqa: ANN401
        *,
        nodes: Sequence[str] | None = None,
        size: int | None = None,
        chunk: int = CHUNK,
    ) -> Iterator[Predictions]:
        """The same for at most `size` rows or windows at a time; None: for all at once."""
        asked = tuple(nodes) if nodes is not None else self.outputs
        reading = self._read(table, asked)
        tokens, n_samples = Tokens(reading), reading.first.n_samples
        step = size or n_samples
        for start in range(0, n_samples, step):
            samples = slice(start, min(start + step, n_samples))
            chunks = [slice(one, min(one + chunk, samples.stop)) for one in range(start, samples.stop, chunk)]
            parts = [self._forward(asked, reading, one) for one in chunks]
            outputs = {node: torch.cat([part[node] for part in parts]) for node in asked}
            yield self._told(outputs, reading, samples, tokens)

    @property
    def takes_text(self) -> bool:
        """Whether it is asked about the tokens of a text instead of a table."""
        return any(self._data[name].tokenizer is not None for name in self.reads(self.outputs))

    @property
    def windows(self) -> WindowPlan | None:
        """The windows that it sees rows through, which reach from one block of a table to the next; None: it sees
        each row for itself."""
        plans = (self._data[name].windows for name in self.reads(self.outputs))
        return next((plan for plan in plans if plan is not None), None)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is looked at, also those that order and part windows."""
        found: list[str] = []
        for name, keys in self.reads(self.outputs).items():
            plan, reference = self._data[name], self.references[name]
            around = (plan.windows.order, plan.windows.group_by) if plan.windows else ()
            for key in (*keys, *around):
                found += reference.columns.get(key) or (key,)
        return tuple(dict.fromkeys(name for name in found if name))

    def signature(self) -> dict[str, Any]:
        """Plain data: `inputs`, each column with the type and shape of a row, and `outputs`, each node likewise."""
        inputs = [
            {"data": name, "key": _in_role(key, role), **column | {"column": _in_role(column["column"], role)}}
            for (role, name), keys in self.wanted(self.outputs).items()
            for key in keys
            for column in self._columns(name, key)
        ]
        return {"inputs": inputs, "outputs": [self._output(node) for node in self.outputs]}

    def _read(self, table: Any, asked: Sequence[str]) -> Reading:  # noqa: ANN401 - any table
        wanted = self.wanted(asked)
        opened = {}
        for (role, name), keys in wanted.items():
            plan, reference = self._data[name], self.references[name]
            own = _part(_part(table, {role for role, _ in wanted}, role), {name for _, name in wanted}, name)
            source = as_source(own, plan, reference, keys)
            opened[role, name] = read_keys(
                plan, reference, RoleSource(source, role) if role and own is table else source, keys
            )
        return Reading(opened)

    def wanted(self, asked: Sequence[str]) -> dict[tuple[str, str], list[str]]:
        """The keys that are read, by role and feature set."""
        read: set[tuple[str, str, str]] = set()
        seen: set[tuple[str, str]] = set()
        waiting = [(name, "") for name in asked]
        while waiting:
            name, role = waiting.pop()
            if (name, role) in seen:
                continue
            seen.add((name, role))
            for feed in self.graph.plans[name].feeds:
                if feed.source == "node":
                    waiting.append((feed.name, feed.role or role))
                else:
                    read.add((feed.role or role, feed.name, feed.key))
        roles = sorted({role for role, _, _ in read})
        every = [(role, name, [key.name for key in data.keys]) for role in roles for name, data in self._data.items()]
        found = {(role, name): [key for key in keys if (role, name, key) in read] for role, name, keys in every}
        return {place: keys for place, keys in found.items() if keys}

    def _told(self, outputs: Mapping[str, Tensor], reading: Reading, samples: slice, tokens: Tokens) -> Predictions:
        windowing, ends = reading.windowing, reading.ends(samples)
        if windowing is None or ends is None:
            return Predictions({node: self._said(node, output) for node, output in outputs.items()})
        stepwise = {node: self._by_step(node, output, windowing.plan) for node, output in outputs.items()}
        if None not in stepwise.values():
            return self._told_by_step(stepwise, reading.steps(samples), tokens)
        if any(output is not None for output in stepwise.values()):
            each = next(node for node, one in stepwise.items() if one is not None)
            alone = next(node for node, one in stepwise.items() if one is None)
            raise CannotPredict(f"`{each}` speaks of each row and `{alone}` of each window: ask them one by one")
        return Predictions({node: self._said(node, output) for node, output in outputs.items()}, {"row": ends})

    def _told_by_step(self, outputs: Mapping[str, Any], steps: Steps, tokens: Tokens) -> Predictions:
        told = {}
        for node, output in outputs.items():
            judged = self._judged[node]
            trained = self._target_set(judged)
            assert trained is not None
            told[node] = tokens.with_given(said_by_step(node, output, judged, trained, steps), judged, trained, steps)
        return Predictions(told, {"row": steps.rows} | tokens.lines(steps.positions))

    def _by_step(self, node: str, output: Tensor, seen: WindowPlan | None) -> Tensor | None:
        judged = self._judged.get(node)
        return by_step(judged, self._target_set(judged), output, seen)

    def _target_set(self, judged: Judged | None) -> FeatureSet | None:
        return self.references.get(judged.target[0]) if judged and judged.target else None

    def _said(self, node: str, output: Tensor) -> NodePredictions:
        judged = self._judged.get(node)
        return said(node, output, judged, self._target_set(judged))

    def _forward(self, asked: Sequence[str], reading: Reading, samples: slice) -> dict[str, Tensor]:
        known: dict[tuple[str, str], Any] = {}

        def value(feed: Feed, role: str) -> Any:  # noqa: ANN401 - a tensor, or several of a module with several outputs
            if feed.source == "node":
                return output(feed.name, feed.role or role)
            return reading.opened[feed.role or role, feed.name].tensor(feed.key, samples, self.graph.device)

        def output(name: str, role: str) -> Any:  # noqa: ANN401
            if (name, role) not in known:
                feeds = self.graph.plans[name].feeds
                positional = [value(feed, role) for feed in feeds if not feed.argument]
                named = {feed.argument: value(feed, role) for feed in feeds if feed.argument}
                known[name, role] = self.graph.call_of(name)(*positional, **named)
            return known[name, role]

        with torch.no_grad(), _taking():
            return {node: output(node, "") for node in asked}

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
            told |= {"target": ".".join(judged.target), "classes": list(self._classes(node, example))}
        return told

    def _classes(self, node: str, example: Tensor) -> Sequence[str]:
        judged = self._judged[node]
        trained = self._target_set(judged)
        windows = trained.windows.plan if trained is not None and trained.windows is not None else None
        steps = self._by_step(node, example, windows)
        if steps is None or trained is None or judged.target is None:
            return self._said(node, example).classes
        return trained.classes(judged.target[1])


@contextmanager
def _taking() -> Iterator[None]:
    """What a network refuses is said in one line: rows of another shape, or codes it does not know."""
    try:
        yield
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        raise CannotPredict(f"the model does not take these rows: {first_line(error)}") from error


def _in_role(name: str, role: str) -> str:
    return f"{name}.{role}" if role else name


def _part(table: Any, names: Collection[str], name: str) -> Any:  # noqa: ANN401 - any table
    """Of several tables by name the one that is meant; a single table is for all."""
    return table[name] if isinstance(table, Mapping) and name and set(names) <= table.keys() else table
