"""The planned data: sources, keys, splits and transforms of each feature set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runexp.plan.values import Call, FrozenMap, Origin

Domain = Literal["features", "targets", "tags"]
SourceKind = Literal["csv", "parquet", "json_lines", "arrow", "numpy", "text", "sql", "call"]


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """Where rows come from: files, a database, or a call of the catalog.

    `path` is a file, a pattern of files (`parts/*.csv`) or a folder of Parquet files, relative to the spec's folder;
    for `sql` it is the URL of the database, and `query` what is asked of it.
    """

    kind: SourceKind
    path: str
    call: Call | None
    origin: Origin
    query: str = ""


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """Columns gathered into one array: patterns in the order written, shape of a row, dtype (`""`: by domain)."""

    name: str
    domain: Domain
    columns: tuple[str, ...]
    shape: tuple[int, ...] | None
    dtype: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How rows are divided. `kind` says which of the other fields count."""

    kind: Literal["whole", "shares", "column", "order"]
    shares: FrozenMap
    column: str
    stratify_by: str
    group_by: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class TransformPlan:
    """A transformer over keys, fitted on the rows of one split."""

    keys: tuple[str, ...]
    call: Call
    fit_on: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class DataPlan:
    """One feature set."""

    name: str
    source: SourcePlan
    keys: tuple[KeyPlan, ...]
    splits: SplitPlan
    transforms: tuple[TransformPlan, ...]
    origin: Origin

    def key(self, name: str) -> KeyPlan:
        """The key of that name; `KeyError` where there is none."""
        for key in self.keys:
            if key.name == name:
                return key
        raise KeyError(name)
