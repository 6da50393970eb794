"""Out-of-fold predictions: what the model of each fold says of the rows that it has not seen, joined to their ids."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from runexp.plan.experiment import Plan, leaves
from runexp.plan.graph import Decision, LossPlan, MetricPlan
from runexp.plan.phases import EvalPlan
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.table import Array
from runexp.runtime.folds.fold import Fold
from runexp.runtime.metrics import predictions
from runexp.runtime.torch_runtime import TorchRuntime


@dataclass(frozen=True, slots=True)
class _Judged:
    """A node that is judged on held-out rows: by which evaluation, how its classes follow, with which target."""

    node: str
    evaluation: EvalPlan
    decision: Decision
    target: tuple[str, str] | None


def out_of_fold(plan: Plan, runtime: TorchRuntime, fold: Fold, *, held_out: str) -> pa.Table | None:
    """A line for each held-out row of a fold; None where no phase judges a node on them.

    `fold`, `data`, `row` (its number in the source), `id`; for each judged node its output (a number, or a list of
    them), in the units of a target that transforms changed; `<node>.class` where it decides between classes; and
    `targets.<key>` as it was read. `plan` is that of a fold.
    """
    judged = list(_judged(plan, held_out))
    tables = []
    for evaluation in dict.fromkeys(item.evaluation for item in judged):
        nodes = [item for item in judged if item.evaluation is evaluation]
        tables.append(_table(runtime, fold, evaluation, nodes))
    return _side_by_side(tables)


def merged(files: Iterable[Path]) -> bytes:
    """One Parquet file of the lines of several, in their order."""
    sink = io.BytesIO()
    table = pa.concat_tables([pq.read_table(file) for file in files], promote_options="permissive")
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def as_file(table: pa.Table) -> bytes:
    """A table as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _judged(plan: Plan, held_out: str) -> Iterator[_Judged]:
    """Each node once, by the last evaluation that judges it: phases at the end know most."""
    known: dict[str, _Judged] = {}
    for phase in leaves(plan.phases):
        if isinstance(phase, EvalPlan) and phase.split == held_out:
            items: list[LossPlan | MetricPlan] = [*phase.losses, *phase.metrics]
            for node in dict.fromkeys(item.node for item in items):
                mine = [item for item in items if item.node == node]
                known[node] = _Judged(node, phase, _decision(mine), _target(mine))
    yield from known.values()


def _decision(items: Sequence[LossPlan | MetricPlan]) -> Decision:
    return next((item.decision for item in items if item.decision != "as_is"), "as_is")


def _target(items: Sequence[LossPlan | MetricPlan]) -> tuple[str, str] | None:
    """The key that a node is compared with."""
    for item in items:
        routes = [route for route in item.routes if route.source == "data" and route.argument in ("", "target")]
        if routes:
            return routes[0].name, routes[0].key
    return None


def _table(runtime: TorchRuntime, fold: Fold, evaluation: EvalPlan, judged: Sequence[_Judged]) -> pa.Table:
    features = runtime.sets[evaluation.data[0]]
    rows = features.splits[evaluation.split]
    outputs = _outputs(runtime, evaluation, [item.node for item in judged])
    columns: dict[str, Any] = {
        "fold": pa.array(np.full(len(rows), fold.index, np.int32)),
        "data": pa.repeat(pa.scalar(features.name), len(rows)),
        "row": pa.array(rows if features.windows is None else features.windows.rows[rows]),
        "id": pa.array(features.ids[rows].astype(str), pa.string()),
    }
    for item in judged:
        if item.node in outputs:
            columns |= _said(runtime, item, outputs[item.node], len(rows))
    return pa.table(columns)


def _outputs(runtime: TorchRuntime, evaluation: EvalPlan, nodes: Sequence[str]) -> Mapping[str, torch.Tensor]:
    program = runtime.open_eval(evaluation)
    chunks = [program.outputs(batch, nodes) for batch in program.draw()]
    return {node: torch.cat([chunk[node] for chunk in chunks]).cpu() for node in chunks[0]}


def _said(runtime: TorchRuntime, item: _Judged, output: torch.Tensor, n_rows: int) -> dict[str, Any]:
    """The columns of one node; one that gives anything else than a value for each row has none."""
    if len(output) != n_rows:
        return {}
    values = np.asarray(output)
    columns: dict[str, Any] = {}
    features = runtime.sets[item.target[0]] if item.target else None
    if features is None or item.target is None:
        return {item.node: _listed(values)}
    key = item.target[1]
    if item.decision == "as_is":
        values = _own_units(features, key, values)
    columns[item.node] = _listed(values)
    if item.decision in ("argmax", "logit", "probability") and values.ndim < 3:
        labels = predictions(output, "labels", item.decision).reshape(n_rows, -1)
        columns[f"{item.node}.class"] = _named(features, key, labels)
    target = features.raw(key)[features.splits[item.evaluation.split]]
    if len(target) == n_rows:
        columns[f"targets.{key}"] = _named(features, key, target.reshape(n_rows, -1))
    return columns


def _own_units(features: FeatureSet, key: str, values: Array) -> Array:
    """Predictions of a transformed target as it was read, where there is a way back."""
    is_like = values[:1].size == int(np.prod(features.shape_of(key)))
    if key not in features.transforms or not features.can_go_back(key) or not is_like:
        return values
    return features.inverse(key, values)


def _named(features: FeatureSet, key: str, codes: Array) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Codes as the words they stand for, where they stand for any."""
    names = features.classes(key)
    if not names or codes.dtype.kind not in "iu":
        return _listed(codes)
    words = np.asarray(names)[np.clip(codes, 0, len(names) - 1)]
    return _listed(words)


def _listed(values: Array) -> Any:  # noqa: ANN401 - pyarrow has no types
    """A value a row, or a flat list a row."""
    flat = values.reshape(len(values), -1)
    if flat.shape[1] == 1:
        return pa.array(flat[:, 0])
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), flat.shape[1]).cast(
        pa.list_(pa.array(flat.ravel()[:1]).type)
    )


def _side_by_side(tables: Sequence[pa.Table]) -> pa.Table | None:
    """Of evaluations over the same rows one table; others keep lines of their own."""
    if not tables:
        return None
    first, others = tables[0], []
    for table in tables[1:]:
        if table["row"].equals(first["row"]) and table["data"].equals(first["data"]):
            for name in (name for name in table.column_names if name not in first.column_names):
                first = first.append_column(name, table[name])
        else:
            others.append(table)
    return pa.concat_tables([first, *others], promote_options="permissive")
