"""A user's table → the keys a graph reads, checked and transformed as the training data were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from runexp.diagnostics import Diagnostic, did_you_mean
from runexp.plan.data import DataPlan, KeyPlan
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.arrow_table import TableSource
from runexp.runtime.data.gathering import Gathered, gather
from runexp.runtime.data.matching import Match
from runexp.runtime.data.numpy_file import NumpySource
from runexp.runtime.data.problems import collecting, problem, shown, stop_at
from runexp.runtime.data.table import Array, Source
from runexp.runtime.data.transforms import apply_fitted

LABEL = "the table"


def as_source(table: Any, reference: FeatureSet, keys: Sequence[str]) -> Source:  # noqa: ANN401 - whatever holds rows
    """A data frame, an Arrow table, a mapping of names to arrays, or one array with the columns in their order."""
    if isinstance(table, np.ndarray) and not table.dtype.names:
        table = _named(table, reference, keys)
    if isinstance(table, np.ndarray):
        table = {name: table[name] for name in table.dtype.names or ()}
    if isinstance(table, Mapping):
        return NumpySource(LABEL, {str(name): np.asarray(values) for name, values in table.items()}, "")
    if isinstance(table, pa.RecordBatch):
        table = pa.Table.from_batches([table])
    if not isinstance(table, pa.Table):
        is_pandas = hasattr(table, "iloc")
        table = pa.Table.from_pandas(table, preserve_index=False) if is_pandas else pa.table(table)
    return TableSource(LABEL, table, "")


def read_keys(plan: DataPlan, reference: FeatureSet, source: Source, keys: Sequence[str]) -> FeatureSet:
    """The keys that are asked for, of the rows of a source; columns are found by the names they had in training.

    `SpecError` with every column that is missing or does not fit.
    """
    found: list[Diagnostic] = []
    gathered: dict[str, Gathered] = {}
    wanted = _read_for(plan, keys)
    transformed = {name for transform in plan.transforms for name in transform.keys}
    for key in plan.keys:
        if key.name in wanted and not key.is_made:
            with collecting(found):
                match = _match(key, reference, source)
                gathered[key.name] = gather(match, source, keep_exact=key.name in transformed)
    applied = apply_fitted(
        plan, gathered, found, ready=lambda key, index: reference.transforms[key].steps[index].transformer
    )
    stop_at(found)
    made = {name: one for name, one in (gathered | dict(applied.made)).items() if name in keys}
    transforms = {name: one for name, one in applied.transforms.items() if name in keys}
    return FeatureSet(plan.name, np.arange(source.n_rows), {}, "", made, transforms)


def _read_for(plan: DataPlan, keys: Sequence[str]) -> set[str]:
    """The keys, and those that they are made of."""
    wanted = set(keys)
    for transform in reversed(plan.transforms):
        if wanted & set(transform.gives) and (transform.into or transform.is_together):
            wanted |= set(transform.keys)
    return wanted


def _match(key: KeyPlan, reference: FeatureSet, source: Source) -> Match:
    columns = reference.columns.get(key.name) or tuple(name for name in key.columns if name in source.names)
    missing = [name for name in columns or key.columns if name not in source.names]
    if missing:
        message = f"{LABEL} has no column {shown(missing[0])}, which {shown(key.name)} is read from"
        hint = did_you_mean(missing[0], source.names, kind="columns")
        stop_at([problem(key.origin, "unknown-column", message, hint=hint)])
    is_single = len(key.columns) == 1 and key.columns[0] in columns
    return Match(key, columns, is_single)


def _named(values: Array, reference: FeatureSet, keys: Sequence[str]) -> Any:  # noqa: ANN401 - columns by name
    """One array as columns: in the order that the keys were read in, or all of it where there is one column."""
    columns = [column for key in keys for column in reference.columns.get(key, ())]
    if len(columns) == 1:
        return {columns[0]: values}
    flat = values.reshape(len(values), -1)
    if flat.shape[1] != len(columns):
        raise ValueError(f"an array of {flat.shape[1]} numbers a row, and the model reads {len(columns)} columns")
    return {name: flat[:, index] for index, name in enumerate(columns)}
