"""The data sets that ship with scikit-learn, and its generators."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from runexp.diagnostics import did_you_mean
from runexp.plan.data import SourcePlan
from runexp.plan.values import Call, Origin
from runexp.runtime.data.problems import first_line, shown, wrong
from runexp.runtime.data.table import Array, Column, make_column
from runexp.runtime.resolve import keyword_arguments, resolve

# A positive list: what else scikit-learn offers there downloads, unpickles or deletes.
BUNDLED = ("load_breast_cancer", "load_diabetes", "load_digits", "load_iris", "load_linnerud", "load_wine")
_FORMS = ("as_frame", "return_X_y")


@dataclass(frozen=True, slots=True, eq=False)
class BundledSource:
    """Columns made by a call."""

    label: str
    columns: Mapping[str, Array]
    n_rows: int
    fingerprint: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns)

    def column(self, name: str, origin: Origin) -> Column:
        return make_column(name, self.columns[name])

    def place(self, row: int) -> str:
        return f"row {row}"


def open_bundled(plan: SourcePlan, call: Call, *, seed: int) -> BundledSource:
    """Call a loader or generator of `sklearn.datasets`, with `seed` unless the spec gives a random state."""
    made = _made(plan.origin, call, seed)
    try:
        columns = _columns(made)
    except (ValueError, TypeError, LookupError) as error:
        message = f"{shown(call.name)} does not give a table: {first_line(error)}"
        raise wrong(plan.origin, "unreadable-source", message) from error
    n_rows = len(next(iter(columns.values()), ()))
    if not n_rows:
        raise wrong(plan.origin, "empty-source", f"{shown(call.name)} gives no rows")
    return bundle(call.name, columns)


def bundle(label: str, columns: Mapping[str, Array]) -> BundledSource:
    """A source of columns of equal length."""
    return BundledSource(label, columns, len(next(iter(columns.values()))), _fingerprint(columns))


def _made(origin: Origin, call: Call, seed: int) -> Any:  # noqa: ANN401 - a Bunch or arrays
    module, _, function = call.target.partition(":")
    if module != "sklearn.datasets" or not (function in BUNDLED or function.startswith("make_")):
        hint = did_you_mean(function, BUNDLED, kind="data sets (and `make_…`)")
        raise wrong(origin, "unknown-source", f"{shown(call.name)} is not a source of rows", hint=hint)
    refused = [name for name in _FORMS if name in call.arguments]
    if refused:
        raise wrong(origin, "bad-arguments", f"{shown(refused[0])} is decided by runexp", hint="leave it out")
    try:
        target = resolve(call)
        arguments = keyword_arguments(call, target)
        if "random_state" in inspect.signature(target).parameters:
            arguments.setdefault("random_state", seed % 2**32)
        return target(**arguments)
    except (TypeError, ValueError, LookupError) as error:
        error.add_note(f"in {origin}")
        raise wrong(origin, "bad-arguments", f"{shown(call.name)} refuses: {first_line(error)}") from error


def _columns(made: Any) -> dict[str, Array]:  # noqa: ANN401 - a Bunch or arrays
    if isinstance(made, Mapping):
        names = made.get("feature_names")
        features = _named(made["data"], "x", names)
        return features | _targets(made["target"], made.get("target_names"))
    rows, *others = made if isinstance(made, tuple) else (made,)
    columns = _named(rows, "x", None)
    n_rows = len(next(iter(columns.values()), ()))
    if others and isinstance(others[0], np.ndarray) and len(others[0]) == n_rows:
        columns |= _targets(others[0], None)
    return columns


def _named(rows: Any, stem: str, names: Iterable[str] | None) -> dict[str, Array]:  # noqa: ANN401 - array or sparse
    values = rows.toarray() if sparse.issparse(rows) else np.asarray(rows)
    if values.ndim != 2:
        raise ValueError(f"its rows have {values.ndim - 1} axes")
    given = [str(name) for name in names] if names is not None else []
    labels = given or [f"{stem}{index}" for index in range(values.shape[1])]
    return dict(zip(labels, values.T, strict=True))


def _targets(target: Array, names: Iterable[str] | None) -> dict[str, Array]:
    # The target names of a classification set are its classes; of a set with several targets, its columns.
    return {"target": target} if target.ndim == 1 else _named(target, "target_", names)


def _fingerprint(columns: Mapping[str, Array]) -> str:
    digest = hashlib.sha256()
    for name, values in columns.items():
        digest.update(f"{name}\0{values.dtype.str}\0{values.shape}\0".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
