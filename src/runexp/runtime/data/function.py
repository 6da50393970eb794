"""A function of the user's as a source: a data frame, an Arrow table, arrays by name, or rows as mappings."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from runexp.plan.data import SourcePlan
from runexp.plan.values import Call, thaw
from runexp.runtime.data.arrow_table import TableSource, checked_table
from runexp.runtime.data.numpy_file import NumpySource
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.table import Array, Source
from runexp.runtime.importing import digest_of
from runexp.runtime.own_code import make_own, misfit, running
from runexp.runtime.resolve import keyword_arguments, resolve

_SEEDS = ("seed", "random_state")
_TAKEN = "a data frame, an Arrow table, a mapping of names to arrays, or rows as mappings"


def open_function(plan: SourcePlan, call: Call, *, seed: int) -> Source:
    """Call a function and keep the rows it gives, checked as those of a file.

    A parameter `seed` or `random_state` without a value comes from the experiment's seed. The fingerprint is that of
    the code's file, its arguments and the rows.
    """
    target = resolve(call)
    arguments = {**_seeds(target, seed), **keyword_arguments(call, target)}
    made = make_own(call, target, arguments)
    code = _code(call, target)
    with running(call):
        table = _table(call, made)
    if isinstance(table, pa.Table):
        return checked_table(plan, TableSource(call.name, table, _fingerprint(code, table.to_batches())))
    _check_arrays(plan, call, table)
    return NumpySource(call.name, table, _fingerprint(code, [*table.items()]))


def _seeds(target: Any, seed: int) -> dict[str, int]:  # noqa: ANN401 - whatever the user wrote
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):
        return {}
    unset = (inspect.Parameter.empty, None)
    return {name: seed % 2**32 for name in _SEEDS if name in parameters and parameters[name].default in unset}


def _table(call: Call, made: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    """An Arrow table, or arrays by name."""
    if isinstance(made, pa.RecordBatchReader):
        made = made.read_all()
    if isinstance(made, pa.RecordBatch):
        made = pa.Table.from_batches([made])
    if isinstance(made, pa.Table):
        return made
    if isinstance(made, np.ndarray) and made.dtype.names:
        return {name: made[name] for name in made.dtype.names}
    if isinstance(made, Mapping):
        return _columns(call, made)
    if hasattr(made, "__arrow_c_stream__") or hasattr(made, "__dataframe__"):
        return _frame(made)
    if isinstance(made, Iterable) and not isinstance(made, (str, bytes, np.ndarray, torch.Tensor)):
        return _of_rows(call, made)
    raise misfit(call, f"gives a `{type(made).__name__}`, and a source gives a table", f"it may give {_TAKEN}")


def _frame(made: Any) -> Any:  # noqa: ANN401 - pandas and its like may be missing
    """A data frame, its index left out; a column that mixes types becomes text, so that the odd row can be named."""
    is_pandas = hasattr(made, "iloc")
    try:
        return pa.Table.from_pandas(made, preserve_index=False) if is_pandas else pa.table(made)
    except (pa.ArrowException, TypeError, ValueError):
        if not is_pandas:
            raise
    names = [str(name) for name in made.columns]
    return pa.table([_array(made.iloc[:, index].tolist()) for index in range(len(names))], names=names)


def _columns(call: Call, made: Mapping[Any, Any]) -> Any:  # noqa: ANN401 - pyarrow has no types
    columns = {str(name): _as_array(value) for name, value in made.items()}
    lengths = {name: len(value) for name, value in columns.items() if value is not None}
    lacking = next((name for name, value in columns.items() if value is None), None)
    if lacking is not None:
        kind = type(made[lacking]).__name__
        raise misfit(call, f"gives a `{kind}` as column {shown(lacking)}, and a column is an array or a list")
    if len(set(lengths.values())) > 1:
        (first, n_first), (other, n_other) = _two_that_differ(lengths)
        raise misfit(call, f"gives {n_first} rows of {shown(first)} and {n_other} of {shown(other)}")
    if all(isinstance(value, np.ndarray) for value in columns.values()):
        return columns
    arrays = [_array(value.tolist() if isinstance(value, np.ndarray) else value) for value in columns.values()]
    return pa.table(arrays, names=list(columns))


def _as_array(value: Any) -> Any:  # noqa: ANN401 - whatever the user gives
    """An array with rows, or a list where arrays would hold objects; None where it is neither."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if hasattr(value, "to_numpy") and not isinstance(value, np.ndarray):
        value = value.to_numpy()
    if isinstance(value, np.ndarray):
        return None if not value.ndim else value.tolist() if value.dtype.kind in "OS" else value
    return list(value) if isinstance(value, (list, tuple, range)) else None


def _of_rows(call: Call, rows: Iterable[Any]) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Rows as mappings; a key that a row lacks is a missing value."""
    columns: dict[str, list[Any]] = {}
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            message = f"gives a `{type(row).__name__}` as row {number}, and a row is a mapping of names to values"
            raise misfit(call, message, f"a source may give {_TAKEN}")
        for name in row.keys() - columns.keys():
            columns[name] = [None] * number
        for name, values in columns.items():
            values.append(row.get(name))
    return pa.table([_array(values) for values in columns.values()], names=[str(name) for name in columns])


def _array(values: list[Any]) -> Any:  # noqa: ANN401 - pyarrow has no types
    plain = [value.tolist() if isinstance(value, (np.ndarray, np.generic, torch.Tensor)) else value for value in values]
    try:
        return pa.array(plain, from_pandas=True)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return pa.array([None if value is None else str(value) for value in plain], pa.string())


def _two_that_differ(lengths: Mapping[str, int]) -> tuple[tuple[str, int], tuple[str, int]]:
    first = next(iter(lengths.items()))
    return first, next(item for item in lengths.items() if item[1] != first[1])


def _check_arrays(plan: SourcePlan, call: Call, arrays: Mapping[str, Array]) -> None:
    if not any(len(values) for values in arrays.values()):
        raise wrong(plan.origin, "empty-source", f"{shown(call.name)} gives no rows")


def _code(call: Call, target: Any) -> str:  # noqa: ANN401 - whatever the user wrote
    """What the rows come from: the file that defines the function, and its arguments."""
    module = sys.modules.get(getattr(target, "__module__", ""))
    file = getattr(module, "__file__", None)
    arguments = json.dumps(thaw(call.arguments), sort_keys=True, default=str)
    return f"{call.target}\0{digest_of(Path(file)) if file else ''}\0{arguments}"


def _fingerprint(code: str, parts: Iterable[Any]) -> str:
    digest = hashlib.sha256(code.encode(errors="surrogatepass"))
    for part in _bytes(parts):
        digest.update(part)
    return digest.hexdigest()


def _bytes(parts: Iterable[Any]) -> Iterator[Any]:
    for part in parts:
        if isinstance(part, pa.RecordBatch):
            yield part.serialize()
        else:
            name, values = part
            yield f"{name}\0{values.dtype.str}\0{values.shape}\0".encode()
            yield np.ascontiguousarray(values).tobytes()
