"""Out-of-fold predictions: what the model of each fold says of the rows that it has not seen, joined to their ids."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from runexp.plan.experiment import Plan, leaves
from runexp.plan.phases import EvalPlan
from runexp.runtime.folds.fold import Fold
from runexp.runtime.metrics import predictions
from runexp.runtime.recorded.rows import row_columns
from runexp.runtime.recorded.values import Judged, judged_by, listed, named, own_units
from runexp.runtime.torch_runtime import TorchRuntime


def out_of_fold(plan: Plan, runtime: TorchRuntime, fold: Fold, *, held_out: str) -> pa.Table | None:
    """A line for each held-out row of a fold; None where no phase judges a node on them.

    `fold`, `data`, `row` (its number in the source), `id`; for each judged node its output (a number, or a list of
    them), in the units of a target that transforms changed; `<node>.class` where it decides between classes; and
    `targets.<key>` as it was read. `plan` is that of a fold.
    """
    judged = list(_judged(plan, held_out))
    tables = []
    for evaluation in dict.fromkeys(evaluation for evaluation, _ in judged):
        nodes = [item for by, item in judged if by is evaluation]
        tables.append(_table(runtime, fold, evaluation, nodes))
    return _side_by_side(tables)


def merged(files: Iterable[Path]) -> bytes:
    """One Parquet file of the lines of several, in their order."""
    sink = io.BytesIO()
    table = pa.concat_tables([pq.read_table(file) for file in files], promote_options="permissive")
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _judged(plan: Plan, held_out: str) -> Iterator[tuple[EvalPlan, Judged]]:
    """Each node once, by the last evaluation that judges it: phases at the end know most."""
    known: dict[str, tuple[EvalPlan, Judged]] = {}
    for phase in leaves(plan.phases):
        if isinstance(phase, EvalPlan) and phase.split == held_out:
            known |= {item.name: (phase, item) for item in judged_by(phase) if not item.role}
    yield from known.values()


def _table(runtime: TorchRuntime, fold: Fold, evaluation: EvalPlan, judged: Sequence[Judged]) -> pa.Table:
    features = runtime.sets[evaluation.data[0]]
    rows = features.splits[evaluation.split]
    outputs = _outputs(runtime, evaluation, [item.name for item in judged])
    columns: dict[str, Any] = {"fold": pa.array(np.full(len(rows), fold.index, np.int32))}
    columns |= row_columns(
        features, rows if features.windows is None else features.windows.rows[rows], features.ids[rows]
    )
    for item in judged:
        if item.name in outputs:
            columns |= _said(runtime, evaluation, item, outputs[item.name])
    return pa.table(columns)


def _outputs(runtime: TorchRuntime, evaluation: EvalPlan, nodes: Sequence[str]) -> Mapping[str, torch.Tensor]:
    program = runtime.open_eval(evaluation)
    chunks = [program.outputs(batch, nodes) for batch in program.draw()]
    return {node: torch.cat([chunk[node] for chunk in chunks]).cpu() for node in chunks[0]}


def _said(runtime: TorchRuntime, evaluation: EvalPlan, item: Judged, output: torch.Tensor) -> dict[str, Any]:
    """The columns of one node; one that gives anything else than a value for each row has none."""
    if len(output) != len(runtime.sets[evaluation.data[0]].splits[evaluation.split]):
        return {}
    values = np.asarray(output)
    features = runtime.sets[item.target[0]] if item.target else None
    if features is None or item.target is None:
        return {item.name: listed(values)}
    key, rows = item.target[1], features.splits[evaluation.split]
    columns = {item.name: listed(own_units(features, key, values) if item.decision == "as_is" else values)}
    if item.decision in ("argmax", "logit", "probability") and values.ndim < 3:
        labels = predictions(output, "labels", item.decision).reshape(len(rows), -1)
        columns[f"{item.name}.class"] = named(features, key, labels)
    columns[f"targets.{key}"] = named(features, key, features.raw(key)[rows].reshape(len(rows), -1))
    return columns


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
