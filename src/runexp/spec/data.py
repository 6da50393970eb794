"""The `data` section: where rows come from, what their columns are for, how they are divided."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from runexp.spec.base import Count, Name, Pattern, Reference, Scalar, Section, Share, Use
from runexp.spec.later import Later

DType = Literal["float32", "float64", "int64", "int32", "bool"]


class Condition(Section):
    """What a column must be; several hold together. A value that is missing fulfils none."""

    eq: Annotated[Scalar | None, Field(description="equal to")] = None
    ne: Annotated[Scalar | None, Field(description="not equal to")] = None
    lt: Annotated[float | str | None, Field(description="less than; of times: before, as `2024-01-31`")] = None
    le: Annotated[float | str | None, Field(description="at most")] = None
    gt: Annotated[float | str | None, Field(description="more than; of times: after")] = None
    ge: Annotated[float | str | None, Field(description="at least")] = None
    is_in: Annotated[tuple[Scalar, ...] | None, Field(alias="in", description="one of these")] = None
    not_in: Annotated[tuple[Scalar, ...] | None, Field(description="none of these")] = None


class Windows(Section):
    """Samples cut lazily from a series or a token stream."""

    size: Annotated[Count, Field(description="rows of a window")]
    stride: Annotated[Count, Field(description="rows from one window to the next")] = 1
    predict: Annotated[
        Literal["next"] | Count | None, Field(description="`next` shifts by one; a number is the horizon in rows")
    ] = None
    group_by: Annotated[Reference | None, Field(description="windows never cross from one group to another")] = None


class Matrix(Section):
    """Values between pairs of rows; a loss input that names the set receives the block of the batch's own rows."""

    rows: Annotated[Name, Field(description="the feature set whose rows it is about")]
    id: Annotated[Reference | None, Field(description="the tag by which rows are matched; left out: their order")] = (
        None
    )
    triangle: Annotated[Literal["full", "lower", "upper"], Field(description="the part that is given")] = "full"


class Join(Section):
    """Columns of another feature set, matched by an id."""

    data: Annotated[Name, Field(description="the other feature set")]
    on: Annotated[Reference, Field(description="the column both have")]


class Key(Section):
    """Columns gathered into one array under a key, in the order of the source."""

    columns: Annotated[Pattern | tuple[Pattern, ...], Field(description="column names or patterns (`pixel_*`)")]
    shape: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...] | None,
        Field(description="shape of one row, for instance [1, 8, 8]; left out: one value a column"),
    ] = None
    dtype: Annotated[
        DType | None,
        Field(description="left out: float32 for features; for targets int64 when the column holds integers"),
    ] = None
    categorical: Annotated[
        Literal["ordinal", "one_hot"] | None,
        Field(
            description="code words or numbers as categories, learned on the split `train`: `ordinal` 0, 1, … (int64, "
            "as an embedding wants it), `one_hot` a column for each"
        ),
    ] = None
    unknown: Annotated[
        Literal["error", "other"],
        Field(
            description="categories that `train` does not have: refused, or `other`, one more code (ordinal) or no "
            "column at all (one_hot)"
        ),
    ] = "error"
    missing: Annotated[
        Literal["error", "mask"],
        Field(
            description="values that are not there: refused, or `mask`, 0 after all transforms, with a key "
            "`<key>_mask` beside it (of targets among the tags) that is 1 where there is a value"
        ),
    ] = "error"


Keys = dict[Name, Pattern | tuple[Pattern, ...] | Key]


class Splits(Section):
    """How rows are divided: shares by name, or a column that names each row's split."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Share] = Field(init=False)

    column: Annotated[Pattern | None, Field(description="a column whose values are the names of the splits")] = None
    order: Annotated[
        Pattern | Literal[True] | None,
        Field(description="divide along this column (time); `true` keeps the order of the source"),
    ] = None
    stratify_by: Annotated[
        Reference | None,
        Field(description="keep the proportions of this target, tag or column in every split"),
    ] = None
    group_by: Annotated[
        Reference | None, Field(description="keep rows with the same value of this tag or column together")
    ] = None

    where: Annotated[
        dict[Name, dict[Pattern, Condition]] | None,
        Field(
            description="split → conditions on columns, all of which hold: `{adults: {age: {ge: 18}}}`; rows that "
            "fulfil none are in no split"
        ),
    ] = None
    files: Annotated[
        dict[Name, Reference] | None,
        Field(description="split → its own file, glob or folder, instead of `source`; the same columns in each"),
    ] = None
    allow_overlap: Annotated[bool, Field(description="let `where` put a row into several splits")] = False
    within: Annotated[
        dict[Name, dict[Name, Share]] | None,
        Field(
            description="split → shares of parts that its rows are divided into again: `{train: {fit: 0.9, inner: "
            "0.1}}`; the split itself stays, and its parts are divided by the same rules"
        ),
    ] = None
    stratify_bins: Annotated[
        int | None,
        Field(ge=2, le=1000, description="quantiles that the numbers of `stratify_by` are cut into to be classes"),
    ] = None
    gap: Annotated[int, Field(ge=0, description="rows left out between one part of an `order` and the next")] = 0

    @property
    def shares(self) -> dict[str, float]:
        """The splits given as shares, in the order written."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def names(self) -> tuple[str, ...] | None:
        """The splits there are, in the order written; None where only the rows can tell."""
        if self.column is not None:
            return None
        inner = (name for parts in (self.within or {}).values() for name in parts)
        return (*(self.where or self.files or self.shares), *inner)


class Transform(Use):
    """A scikit-learn transformer fitted on one split and applied to all rows."""

    on: Annotated[
        Reference | tuple[Reference, ...],
        Field(description="the key (or keys) of features or targets to transform"),
    ]
    fit_on: Annotated[Name, Field(description="the split it is fitted on")] = "train"
    target: Annotated[
        Reference | None,
        Field(description="the target that a transformer such as `SelectKBest` learns from; left out: the only one"),
    ] = None
    into: Annotated[
        Name | None,
        Field(description="a new key for the result, made of all keys side by side; they stay as they are"),
    ] = None
    together: Annotated[
        bool, Field(description="one transformer over all keys side by side, instead of one of its own for each")
    ] = False


class Data(Section):
    """One feature set: a table whose columns are features, targets or tags."""

    source: Annotated[
        Reference | Use | None,
        Field(
            description="a scikit-learn data set, a file (.csv .tsv .parquet .arrow .feather .jsonl .npz .npy .txt), a "
            "glob of them, a folder of Parquet files, or `{use:, with:}`: a generator, or `sql`; left out only where "
            "`splits.files` names a source for each split",
            examples=["sklearn.datasets.load_digits", "table.csv", "parts/*.parquet"],
        ),
    ] = None
    features: Annotated[Keys, Field(description="what nodes are fed with: key → columns")] = {}
    targets: Annotated[Keys, Field(description="what losses and metrics compare with: key → columns")] = {}
    tags: Annotated[Keys, Field(description="kept with the rows, never fed by accident: groups, ids, times")] = {}
    splits: Annotated[Splits | None, Field(description="how rows are divided; left out: one split `all`")] = None
    transforms: Annotated[
        tuple[Transform, ...], Field(description="scikit-learn transformers, applied in the order written")
    ] = ()
    windows: Annotated[
        Windows | None, Field(description="samples cut from a series or a token stream"), Later("windows over a series")
    ] = None
    matrix: Annotated[
        Matrix | None, Field(description="values between pairs of rows"), Later("a matrix between pairs of rows")
    ] = None
    join: Annotated[Join | None, Field(description="columns of another feature set"), Later("joining sets")] = None
