"""The columns of a sampler, checked for what it makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runexp.diagnostics import Diagnostic, Severity, SpecError
from runexp.plan.samplers import SamplerPlan
from runexp.runtime.data.problems import problem, shown, wrong
from runexp.runtime.data.table import Array
from runexp.runtime.sampling.groups import Groups, ranges_of

_MOST_NAMES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The rows a sampler draws from: its columns (N, …), and what the rows are called (N,)."""

    plan: SamplerPlan
    columns: Mapping[str, Array]
    n_rows: int
    ids: Array

    def wrong(self, code: str, message: str, *, hint: str = "") -> SpecError:
        """The exception that carries one diagnostic at the sampler."""
        return wrong(self.plan.origin, code, f"the sampler `{self.plan.name}`: {message}", hint=hint)

    def warning(self, code: str, message: str, *, hint: str = "") -> Diagnostic:
        """A warning at the sampler."""
        found = problem(self.plan.origin, code, f"the sampler `{self.plan.name}`: {message}", hint=hint)
        return Diagnostic(found.code, found.message, found.span, help=hint, severity=Severity.WARNING, path=found.path)

    def named(self, rows: Array) -> str:
        """Rows by their ids, the first few."""
        return listed([str(value) for value in self.ids[rows[: _MOST_NAMES + 1]]])

    def groups(self) -> Groups:
        """The rows by the column of the plan, or by its ranges; every row has a value."""
        column = self._whole(self.plan.by)
        if not self.plan.bins:
            return Groups.of(column)
        return Groups.of(ranges_of(self.numbers(self.plan.by), self.plan.bins))

    def classes(self) -> Groups:
        """The same, of which every batch has to have some."""
        found = self.groups()
        if found.n_groups > self.plan.size:
            message = f"`size: {self.plan.size}` is less than the {found.n_groups} classes of `{self.plan.by}`"
            hint = "" if self.plan.bins else "a column of numbers is cut into ranges by `bins: 4`"
            raise self.wrong("wrong-value", message, hint=hint)
        return found

    def weights(self, name: str) -> Array:
        """(N,) numbers of 0 or more that are not all 0."""
        found = self.numbers(name)
        if (found < 0).any() or not np.isfinite(found).all():
            least = found[(found < 0) | ~np.isfinite(found)][0]
            raise self.wrong("wrong-value", f"weights are 0 or more, and `{name}` has {least:g}")
        if not found.any():
            raise self.wrong("nothing-to-draw", f"all weights in `{name}` are 0")
        return found

    def lengths(self) -> Array:
        """(N,) numbers; of a text how many letters it has."""
        column = self._whole(self.plan.by)
        return np.char.str_len(column) if column.dtype.kind == "U" else self.numbers(self.plan.by)

    def numbers(self, name: str) -> Array:
        """(N,) float64, of times in seconds; every row has one."""
        return measured(self._whole(name), name, self)

    def _whole(self, name: str) -> Array:
        column = self.columns[name]
        missing = np.flatnonzero(lacking(column))
        if len(missing):
            message = f"`{name}` has no value in {len(missing)} of {self.n_rows} rows: {self.named(missing)}"
            raise self.wrong("missing-values", message)
        return column


def measured(column: Array, name: str, split: Split) -> Array:
    """(N,) numbers of a column, of times in seconds; `SpecError` where it holds something else."""
    if column.ndim != 1:
        raise split.wrong("ragged-shape", f"`{name}` has several values a row: {shown(column.shape[1:])}")
    if column.dtype.kind in "mM":
        since = column - column.min() if column.dtype.kind == "M" and len(column) else column
        return np.asarray(since / np.timedelta64(1, "s"), np.float64)
    if column.dtype.kind not in "biuf":
        raise split.wrong("non-numeric-column", f"`{name}` holds no numbers")
    return column.astype(np.float64)


def lacking(column: Array) -> Array:
    """(N,) bool: whether a row has no value: NaN, no time, an empty text."""
    if column.dtype.kind in "fc":
        absent = np.isnan(column)
    elif column.dtype.kind in "mM":
        absent = np.isnat(column)
    elif column.dtype.kind == "U":
        absent = np.asarray(column == "")
    else:
        return np.zeros(len(column), bool)
    return np.asarray(absent.reshape(len(column), -1).any(axis=1))


def listed(names: Sequence[str]) -> str:
    """`a`, `b`, … at most five."""
    return ", ".join(shown(name) for name in names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")
