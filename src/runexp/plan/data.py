"""The planned data: sources, keys, splits and transforms of each feature set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from runexp.plan.values import Call, FrozenMap, Origin

Domain = Literal["features", "targets", "tags"]
SourceKind = Literal["csv", "parquet", "json_lines", "arrow", "numpy", "text", "sql", "call", "files"]

Inverse = Literal["numbers", "codes", "none"]


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """Where rows come from: files, a database, or a call of the catalog.

    `path` is a file, a pattern of files (`parts/*.csv`) or a folder of Parquet files, relative to the spec's folder;
    for `sql` it is the URL of the database, and `query` what is asked of it. `parts` are the sources of the splits,
    by name, where each has its own (`files`).
    """

    kind: SourceKind
    path: str
    call: Call | None
    origin: Origin
    query: str = ""
    parts: FrozenMap = field(default_factory=FrozenMap)


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """Columns gathered into one array: patterns in the order written, shape of a row, dtype (`""`: by domain).

    `words`: text is kept, for a transform to code. `gaps`: missing values are kept, for a transform to fill (`fill`) or
    to become 0 in the end (`zero`). `is_mask`: 1 where the columns have a value, 0 where not. `is_made`: a transform
    makes it of other keys (`into`), and it has no columns of its own.
    """

    name: str
    domain: Domain
    columns: tuple[str, ...]
    shape: tuple[int, ...] | None
    dtype: str
    origin: Origin
    words: bool = False
    gaps: Literal["", "fill", "zero"] = ""
    is_mask: bool = False
    is_made: bool = False


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How rows are divided. `kind` says which of the other fields count.

    `where` holds split → column → comparison (`eq`, `in`, …) → what is compared with; `within` split → the shares of
    its own parts. `n_bins`: quantiles that `stratify_by` is cut into, 0 for classes as they are. `gap`: rows left out
    between one part of an order and the next.
    """

    kind: Literal["whole", "shares", "column", "order", "where", "files"]
    shares: FrozenMap
    column: str
    stratify_by: str
    group_by: str
    origin: Origin
    where: FrozenMap = field(default_factory=FrozenMap)
    allow_overlap: bool = False
    within: FrozenMap = field(default_factory=FrozenMap)
    n_bins: int = 0
    gap: int = 0


@dataclass(frozen=True, slots=True)
class TransformPlan:
    """A transformer over keys, fitted on the rows of one split: one of its own for each key, or one for all together.

    `target` is the key it learns from besides, `into` the key it makes, empty where it changes its keys themselves.
    `is_column`: it takes one value a row, as text vectorizers do. `inverse`: whether numbers can be taken back; a code
    stands for a category, which is no number.
    """

    keys: tuple[str, ...]
    call: Call
    fit_on: str
    origin: Origin
    target: str = ""
    into: str = ""
    is_together: bool = False
    is_column: bool = False
    inverse: Inverse = "numbers"

    @property
    def gives(self) -> tuple[str, ...]:
        """The keys that hold what it made."""
        return (self.into,) if self.into else self.keys


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
