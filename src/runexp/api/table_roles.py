"""What each column of a table is for: feature, target, split, id, group, or left out, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from runexp.diagnostics import Diagnostic, Span, SpecError, did_you_mean
from runexp.runtime.data.inspection import ColumnFacts, TableFacts

Task = Literal["classification", "regression"]

_MOST_CLASSES = 20
_ROWS_PER_CLASS = 4  # fewer on average, and whole numbers are amounts, not classes
_LEAST_ROWS = 10
_ID_NAME = re.compile(r"(?i)(.*[^a-z])?(id|ids|uuid|index|key|name|nr|rowid|sid)|unnamed.*")
_FOLD_NAME = re.compile(r"(?i)(cv[_-]?)?folds?")
_SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "holdout", "eval"),
}


@dataclass(frozen=True, slots=True)
class Named:
    """The columns that a user named: what is predicted, and if there are any, ids and groups."""

    target: str
    id: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class SplitColumn:
    """A column that names each row's split, and the names it has for train, val and test; empty: none."""

    column: str
    train: str
    val: str
    test: str


@dataclass(frozen=True, slots=True)
class Roles:
    """What is made of a table. `why` says how the task was told; `left_out` holds column → reason."""

    table: TableFacts
    task: Task
    why: str
    target: ColumnFacts
    features: tuple[str, ...]
    left_out: Mapping[str, str] = field(hash=False)
    split: SplitColumn | None
    id: str
    group: str
    n_groups: int

    @property
    def n_outputs(self) -> int:
        """How many numbers the network gives: one a class, or one."""
        if self.task == "regression":
            return 1
        is_coded = self.target.kind == "text"
        return self.target.n_distinct if is_coded else int(self.target.largest) + 1


def roles_of(table: TableFacts, named: Named, file: str) -> Roles:
    """Decide on every column; `SpecError` at the file for a table that nothing can be learnt from."""
    columns = {column.name: column for column in table.columns}
    _require_there(named, columns, file)
    target = columns[named.target]
    _require_learnable(table, target, file)
    task, why = _task(target, table.n_rows)
    split = next((found for column in table.columns if (found := _split_column(column, named))), None)
    used = {named.target, named.id, named.group, split.column if split else ""}
    others = [column for column in table.columns if column.name not in used]
    left_out = {column.name: reason for column in others if (reason := _reason(column, table.n_rows))}
    features = tuple(column.name for column in others if column.name not in left_out)
    if not features:
        hint = "; ".join(f"`{name}`: {reason}" for name, reason in list(left_out.items())[:5])
        raise _wrong(file, "no-features", f"no column of `{table.label}` can be fed to a network", hint)
    n_groups = columns[named.group].n_distinct if named.group else 0
    return Roles(table, task, why, target, features, left_out, split, named.id, named.group, n_groups)


def _require_there(named: Named, columns: Mapping[str, ColumnFacts], file: str) -> None:
    found: list[Diagnostic] = []
    for option, name in (("--target", named.target), ("--id", named.id), ("--group", named.group)):
        if name and name not in columns:
            message = f"`{file}` has no column `{name}`, which {option} names"
            found.append(_problem(file, "unknown-column", message, did_you_mean(name, columns, kind="columns")))
        elif option != "--target" and name == named.target:
            found.append(_problem(file, "exclusive-options", f"`{name}` cannot be the target and what {option} names"))
    group, row_id = columns.get(named.group), columns.get(named.id)
    if group is not None and (group.n_missing or group.n_distinct < 2):
        what = "has rows without a value" if group.n_missing else "has only one value"
        found.append(_problem(file, "bad-group", f"column `{named.group}` {what}: rows cannot be divided by it"))
    if row_id is not None and (row_id.n_missing or not row_id.is_unique):
        found.append(_problem(file, "duplicate-id", f"the values of column `{named.id}` do not tell all rows apart"))
    if found:
        raise SpecError(found)


def _require_learnable(table: TableFacts, target: ColumnFacts, file: str) -> None:
    if target.as_target is not None:
        raise SpecError([target.as_target])
    if target.n_distinct < 2:
        raise _wrong(file, "constant-target", f"column `{target.name}` has the same value in every row")
    if table.n_rows < _LEAST_ROWS:
        message = f"`{table.label}` has {table.n_rows} rows: too few to train, validate and test on"
        raise _wrong(file, "too-few-rows", message)


def _task(target: ColumnFacts, n_rows: int) -> tuple[Task, str]:
    if target.kind == "text":
        return "classification", f"it holds text, {target.n_distinct} different values"
    if target.kind == "bool":
        return "classification", "it is true or false"
    if not target.is_whole:
        return "regression", "it holds numbers with fractions"
    if target.least < 0 or target.largest > 2 * _MOST_CLASSES:
        return "regression", f"it holds whole numbers from {target.least:g} to {target.largest:g}"
    if target.n_distinct > min(_MOST_CLASSES, max(2, n_rows // _ROWS_PER_CLASS)):
        return "regression", f"it holds {target.n_distinct} different whole numbers"
    return "classification", f"it holds {target.n_distinct} different whole numbers"


def _split_column(column: ColumnFacts, named: Named) -> SplitColumn | None:
    """What a column of splits calls them; None for a column that is none."""
    if column.kind != "text" or column.n_missing or column.name in (named.target, named.id, named.group):
        return None
    found = {role: _match(column.values, words) for role, words in _SPLIT_NAMES.items()}
    is_whole = all(value in found.values() for value in column.values)
    if not is_whole or not found["train"] or not (found["val"] or found["test"]):
        return None
    return SplitColumn(column.name, found["train"], found["val"], found["test"])


def _match(values: Sequence[str], words: Iterable[str]) -> str:
    return next((value for word in words for value in values if value.casefold() == word), "")


def _reason(column: ColumnFacts, n_rows: int) -> str:
    """Why a column is no feature; empty for one that is."""
    if column.is_unique and (column.kind == "text" or (column.is_whole and _ID_NAME.fullmatch(column.name))):
        return "an id: all values differ"
    if column.n_missing == n_rows:
        return "empty"
    if column.kind == "time":
        return "dates"
    if column.kind == "text":
        return _text_reason(column)
    if column.n_missing:
        return f"no value in {column.n_missing} of {n_rows} rows"
    if column.n_distinct == 1:
        return "the same value in every row"
    if column.as_feature is not None:
        return "not a number in every row"
    return "numbers of folds" if _FOLD_NAME.fullmatch(column.name) else ""


def _text_reason(column: ColumnFacts) -> str:
    if column.n_distinct == 1 and not column.n_missing:
        return "the same text in every row"
    shown = ", ".join(column.values[:3])
    some = f": {shown}, …" if len(column.values) > 3 else f": {shown}" if shown else ""
    return f"text, {column.n_distinct} different values{some if len(some) < 60 else ''}"


def _problem(file: str, code: str, message: str, hint: str = "") -> Diagnostic:
    return Diagnostic(code, message, Span(file, 1, 1, 1, 1), help=hint)


def _wrong(file: str, code: str, message: str, hint: str = "") -> SpecError:
    return SpecError([_problem(file, code, message, hint)])
