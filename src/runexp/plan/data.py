"""The planned data: sources, keys, splits and transforms of each feature set."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from runexp.plan.values import Call, FrozenMap, Origin
from runexp.records import dataclass

Domain = Literal["features", "targets", "tags"]
SourceKind = Literal["csv", "parquet", "json_lines", "arrow", "numpy", "text", "sql", "call", "files"]

Inverse = Literal["numbers", "codes", "none"]


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """Where rows come from: files, a database, or a call of the catalog.

    `path` is a file, a pattern of files (`parts/*.csv`) or a folder of Parquet files, relative to the spec's folder;
    for `sql` it is the URL of the database, and `query` what is asked of it. `parts` are the sources of the splits,
    by name, where each has its own (`files`). `is_stream`: of a text, a row for each token, not for each line.
    """

    kind: SourceKind
    path: str
    call: Call | None
    origin: Origin
    query: str = ""
    parts: FrozenMap = field(default_factory=FrozenMap)
    is_stream: bool = False


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """Columns gathered into one array: patterns in the order written, shape of a row, dtype (`""`: by domain).

    `words`: text is kept, for a transform to code. `gaps`: missing values are kept, for a transform to fill (`fill`) or
    to become 0 in the end (`zero`). `is_mask`: 1 where the columns have a value, 0 where not. `is_made`: a transform
    makes it of other keys (`into`), and it has no columns of its own. `dates` are the numbers that a date becomes, in
    the order written; none where columns hold no dates.
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
    is_tokens: bool = False
    dates: tuple[str, ...] = ()


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
class TokenizerPlan:
    """What turns a text into codes: its kind, what becomes of unknown tokens, the split it learns from."""

    kind: Literal["char"]
    unknown: Literal["error", "other"]
    fit_on: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """Samples of `size` consecutive rows of one group, in the order of a column (empty: of the source).

    `cuts`: key → (first row counted from the window's, number of rows); 0 rows: the value of that one row alone.
    `rows_last`: keys whose rows lie on the last axis, (columns, size), instead of the first.
    """

    size: int
    stride: int
    order: str
    group_by: str
    cuts: FrozenMap
    rows_last: tuple[str, ...]
    origin: Origin

    @property
    def reach(self) -> int:
        """Rows from the first of a window to the last that any key of it looks at, both counted."""
        ends: list[int] = [first + max(length, 1) for first, length in self.cuts.values()]
        return max([self.size, *ends])


@dataclass(frozen=True, slots=True)
class JoinPlan:
    """Another feature set whose columns are this one's too, under `<data>.<column>`.

    Rows are matched where the column `on` has the value of the other set's column `other`.
    """

    data: str
    source: SourcePlan
    on: str
    other: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class MatrixPlan:
    """Values between pairs of rows of a feature set, matched by the tag `id`; empty: by their order.

    `triangle` is the part that is read, `diagonal` what stands there where the file has nothing.
    """

    name: str
    source: SourcePlan
    id: str
    triangle: Literal["full", "lower", "upper"]
    diagonal: float
    origin: Origin


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """Rows are read as they are drawn: so many are mixed at once, and so many such windows are read ahead."""

    buffer: int = 100_000
    prefetch: int = 2


@dataclass(frozen=True, slots=True)
class DataPlan:
    """One feature set; `matrices` are those between its rows, `stream` is None where it is held in memory.

    With `windows` its samples are windows over the rows.
    """

    name: str
    source: SourcePlan
    keys: tuple[KeyPlan, ...]
    splits: SplitPlan
    transforms: tuple[TransformPlan, ...]
    origin: Origin
    tokenizer: TokenizerPlan | None = None
    windows: WindowPlan | None = None
    joins: tuple[JoinPlan, ...] = ()
    matrices: tuple[MatrixPlan, ...] = ()
    stream: StreamPlan | None = None

    def key(self, name: str) -> KeyPlan:
        """The key of that name; `KeyError` where there is none."""
        for key in self.keys:
            if key.name == name:
                return key
        raise KeyError(name)
