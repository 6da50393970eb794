"""A user's table → the keys a graph reads, checked and transformed as the training data were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from runexp.diagnostics import Diagnostic, did_you_mean
from runexp.plan.data import DataPlan, KeyPlan, WindowPlan
from runexp.plan.values import FrozenMap, Origin
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.arrow_table import TableSource
from runexp.runtime.data.gathering import Gathered, gather
from runexp.runtime.data.matching import Match
from runexp.runtime.data.numpy_file import NumpySource
from runexp.runtime.data.problems import collecting, shown, stop_at, wrong
from runexp.runtime.data.splits import column_of_key
from runexp.runtime.data.table import Array, Column, Source
from runexp.runtime.data.token_stream import Document, TextStream
from runexp.runtime.data.tokenizer import encode_keys
from runexp.runtime.data.transforms import apply_fitted
from runexp.runtime.data.windows import by_position, cover, in_order
from runexp.runtime.model.problems import CannotPredict
from runexp.runtime.model.reading import Opened

LABEL = "the table"
_TEXT = "the text"


@dataclass(frozen=True, slots=True, eq=False)
class RoleSource:
    """The columns of a table that end with a role: of a row that is drawn together with others."""

    source: Source
    role: str

    @property
    def label(self) -> str:
        return self.source.label

    @property
    def fingerprint(self) -> str:
        return self.source.fingerprint

    @property
    def names(self) -> tuple[str, ...]:
        ending = f".{self.role}"
        return tuple(name.removesuffix(ending) for name in self.source.names if name.endswith(ending))

    @property
    def n_rows(self) -> int:
        return self.source.n_rows

    def column(self, name: str, origin: Origin) -> Column:
        return self.source.column(f"{name}.{self.role}", origin)

    def place(self, row: int) -> str:
        return self.source.place(row)


def as_source(table: Any, plan: DataPlan, reference: FeatureSet, keys: Sequence[str]) -> Source:  # noqa: ANN401
    """A data frame, an Arrow table, a mapping of names to arrays, or one array with the columns in their order; of
    tokens a text. `SpecError` where there are no rows."""
    source = _source(table, reference, keys)
    if not source.n_rows:
        raise wrong(plan.origin, "empty-source", f"{_called(source)} has no rows")
    if (plan.tokenizer is None) == isinstance(source, TextStream):
        wanted = "a text, as a file .txt or a string" if plan.tokenizer else "a table, and no text"
        raise wrong(plan.origin, "unreadable-file", f"{shown(plan.name)} is read from {wanted}")
    read = set(_columns(reference, keys))
    twice = [name for name, count in Counter(source.names).items() if count > 1 and name in read]
    if twice:
        raise wrong(plan.origin, "duplicate-column", f"{_called(source)} has column {shown(twice[0])} twice")
    return source


def read_keys(plan: DataPlan, reference: FeatureSet, source: Source, keys: Sequence[str]) -> Opened:
    """The keys that are asked for, of the rows of a source; columns are found by the names they had in training.

    `SpecError` with every column that is missing or does not fit, and where rows are too few for a window.
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
    if plan.tokenizer is not None and reference.tokenizer is not None:
        with collecting(found):
            gathered |= encode_keys(plan.tokenizer, reference.tokenizer, gathered, source)
    applied = apply_fitted(
        plan, gathered, found, ready=lambda key, index: reference.transforms[key].steps[index].transformer
    )
    stop_at(found)
    made = {name: one for name, one in (gathered | dict(applied.made)).items() if name in keys}
    transforms = {name: one for name, one in applied.transforms.items() if name in keys}
    features = FeatureSet(plan.name, np.arange(source.n_rows), {}, "", made, transforms, reference.tokenizer)
    return Opened(features) if plan.windows is None else _windowed(plan, plan.windows, reference, source, features)


def _source(table: Any, reference: FeatureSet, keys: Sequence[str]) -> Source:  # noqa: ANN401 - whatever holds rows
    if isinstance(table, TableSource):
        return table
    if isinstance(table, str):
        return TextStream(_TEXT, (Document(_TEXT, table),), (0,), len(table), "")
    if isinstance(table, np.ndarray) and not table.dtype.names:
        table = _named(table, _columns(reference, keys))
    if isinstance(table, np.ndarray):
        table = {name: table[name] for name in table.dtype.names or ()}
    if isinstance(table, Mapping):
        arrays = {str(name): np.asarray(values) for name, values in table.items()}
        if len({array.shape[:1] for array in arrays.values()}) != 1:
            raise CannotPredict("a mapping of names to arrays must hold arrays, each of equally many rows")
        return NumpySource(LABEL, arrays, "")
    return TableSource(LABEL, _arrow(table), "")


def _arrow(table: Any) -> Any:  # noqa: ANN401 - a frame of any library
    if isinstance(table, pa.RecordBatch):
        return pa.Table.from_batches([table])
    if isinstance(table, pa.Table):
        return table
    is_pandas = hasattr(table, "iloc")
    return pa.Table.from_pandas(table, preserve_index=False) if is_pandas else pa.table(table)


def _windowed(
    plan: DataPlan, windows: WindowPlan, reference: FeatureSet, source: Source, features: FeatureSet
) -> Opened:
    """The windows of the rows, as long as the keys that are read need them: what would follow need not be there."""

    def column_of(name: str) -> Column:
        key = next((key for key in plan.keys if key.name == name), None)
        if key is not None:
            return column_of_key(name, gather(_match(key, reference, source), source, keep_exact=False).raw)
        if name not in source.names:
            message = f"{_called(source)} has no column {shown(name)}, by which windows are ordered or kept apart"
            hint = did_you_mean(name, source.names, kind="columns")
            raise wrong(windows.origin, "unknown-column", message, hint=hint)
        return source.column(name, windows.origin)

    read = replace(windows, cuts=FrozenMap({key: windows.cuts[key] for key in features.keys}))
    found = cover(read, source, column_of)
    if not len(found.starts) and features.tokenizer is not None:
        whole = FrozenMap({key: (0, found.n_longest) for key in features.keys})
        found = cover(replace(read, size=found.n_longest, cuts=whole), source, column_of)
    if not len(found.starts):
        what = "its longest series" if windows.group_by else _called(source)
        message = f"a window is {read.reach} rows, and {what} has {found.n_longest}"
        raise wrong(windows.origin, "empty-split", message)
    windowing = found.windowing
    seen = replace(
        features,
        gathered=in_order(windowing, features.gathered),
        transforms={
            name: replace(one, values=by_position(windowing, one.values)) for name, one in features.transforms.items()
        },
        windows=windowing,
    )
    return Opened(seen, found.starts, found.heads)


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
        raise _lacking(key, missing, source)
    is_single = len(key.columns) == 1 and key.columns[0] in columns
    return Match(key, columns, is_single)


def _lacking(key: KeyPlan, missing: Sequence[str], source: Source) -> Exception:
    ending, others = "", f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    hint = did_you_mean(missing[0], source.names, kind="columns")
    if isinstance(source, RoleSource):
        ending = f".{source.role}"
        hint = "a line is about rows that are compared: the columns of each end with its role"
    message = (
        f"{_called(source)} has no column {shown(missing[0] + ending)}{others}, which {shown(key.name)} is read from"
    )
    return wrong(key.origin, "unknown-column", message, hint=hint)


def _called(source: Source) -> str:
    return source.label if source.label in (LABEL, _TEXT) else shown(source.label)


def _columns(reference: FeatureSet, keys: Sequence[str]) -> list[str]:
    return [column for key in keys for column in reference.columns.get(key, ())]


def _named(values: Array, columns: Sequence[str]) -> Any:  # noqa: ANN401 - columns by name
    """One array as columns: in the order that the keys were read in, or all of it where there is one column."""
    if len(columns) == 1:
        return {columns[0]: values}
    flat = values.reshape(len(values), -1)
    if flat.shape[1] != len(columns):
        raise CannotPredict(f"an array of {flat.shape[1]} numbers a row, and the model reads {len(columns)} columns")
    return {name: flat[:, index] for index, name in enumerate(columns)}
