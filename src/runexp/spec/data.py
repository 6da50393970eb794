"""The `data` section: where rows come from, what their columns are for, how they are divided."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from runexp.spec.base import Count, Name, Pattern, Reference, Scalar, Section, Share, Use

DType = Literal["float32", "float64", "int64", "int32", "bool"]
DatePart = Literal[
    "days", "year", "month", "day", "weekday", "yearday", "hour",
    "month_cycle", "day_cycle", "weekday_cycle", "yearday_cycle", "hour_cycle",
]  # fmt: skip


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


Predicted = Literal["next", "each"] | Count


class Windows(Section):
    """Samples cut lazily from a series or a token stream; a window never crosses from one split to another."""

    size: Annotated[Count, Field(description="rows of a window")]
    stride: Annotated[Count, Field(description="rows from one window to the next")] = 1
    predict: Annotated[
        Predicted | dict[Name, Predicted] | None,
        Field(
            description="what a target is: `next`, the window shifted by one row; `each`, a value for each of its "
            "rows; a number, the value so many rows after its last one; left out, the value of its last row; or one "
            "of these by target (or tag)"
        ),
    ] = None
    rows: Annotated[
        Literal["first", "last"],
        Field(
            description="where the rows of a window lie in a feature: `first` (size, columns), as recurrent layers and "
            "attention want it, or `last` (columns, size), as convolutions do"
        ),
    ] = "first"
    order: Annotated[
        Pattern | None,
        Field(description="the column of time; left out: that of `splits.order`, or the order of the source"),
    ] = None
    group_by: Annotated[
        Reference | None,
        Field(description="windows never cross from one group to another; left out: that of `splits.group_by`"),
    ] = None


class Tokenizer(Section):
    """How a text becomes numbers: a row of the feature set for each token, its code in the column `text`."""

    use: Annotated[Literal["char"], Field(description="`char`: every character is a token")] = "char"
    unknown: Annotated[
        Literal["error", "other"],
        Field(description="tokens that the text it learnt from lacks: refused, or `other`, one more code"),
    ] = "error"
    fit_on: Annotated[Name, Field(description="the split it learns the tokens from")] = "train"


class Matrix(Section):
    """Values between pairs of rows; a loss input that names the set receives the block of the batch's own rows."""

    rows: Annotated[Name, Field(description="the feature set whose rows it is about")]
    id: Annotated[Reference | None, Field(description="the tag by which rows are matched; left out: their order")] = (
        None
    )
    triangle: Annotated[
        Literal["full", "lower", "upper"],
        Field(description="the part that is read; the other one mirrors it"),
    ] = "full"
    diagonal: Annotated[
        float, Field(allow_inf_nan=False, description="what stands on the diagonal where the file has nothing")
    ] = 0.0


class Join(Section):
    """Columns of another feature set, matched by an id: its keys are used as this set's own."""

    data: Annotated[Name, Field(description="the other feature set")]
    on: Annotated[Reference, Field(description="the tag or column that both have; unique in the other set")]


class Key(Section):
    """Columns gathered into one array under a key, in the order of the source."""

    columns: Annotated[
        Pattern | tuple[Pattern, ...],
        Field(description="column names or patterns (`pixel_*`); behind them `-id` leaves a column out"),
    ]
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
    dates: Annotated[
        DatePart | tuple[DatePart, ...] | None,
        Field(
            description="dates as numbers: `days` since 1970 (with decimals), `year`, `month` and `day` from 1, "
            "`weekday` from 0 (Monday), `yearday`, `hour` (with decimals); `<part>_cycle` its sine and cosine, so that "
            "December is next to January"
        ),
    ] = None
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


class Stream(Section):
    """How rows are read that are not held in memory."""

    buffer: Annotated[
        Count, Field(description="rows that are mixed at once where batches are shuffled; they are held in memory")
    ] = 100_000
    prefetch: Annotated[
        int, Field(ge=0, le=64, description="buffers that a thread reads ahead; 0: read when they are needed")
    ] = 2


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
    stream: Annotated[
        bool | Stream | None,
        Field(
            description="read the rows of Parquet as they are drawn, for data larger than memory: `true`, `false`, or "
            "`{buffer:, prefetch:}`; left out: where the files take more than 2 GiB on disk",
            examples=[True, {"buffer": 100000}],
        ),
    ] = None
    tokenizer: Annotated[
        Literal["char"] | Tokenizer | None,
        Field(description="read a text as a stream of tokens: `char`, or `{use: char, unknown: other}`"),
    ] = None
    windows: Annotated[Windows | None, Field(description="samples cut from a series or a token stream")] = None
    matrix: Annotated[
        Matrix | None,
        Field(description="the source holds values between pairs of rows; a loss input names the set: `unifrac`"),
    ] = None
    join: Annotated[
        Join | tuple[Join, ...] | None,
        Field(description="other feature sets whose keys are used as this set's own, matched by an id"),
    ] = None

    @property
    def joins(self) -> tuple[Join, ...]:
        """The sets that are joined, in the order written."""
        if self.join is None:
            return ()
        return (self.join,) if isinstance(self.join, Join) else self.join
