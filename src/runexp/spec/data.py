"""The `data` section: where rows come from, what their columns are for, how they are divided."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from runexp.spec.base import Name, Pattern, Reference, Section, Share, Use

DType = Literal["float32", "float64", "int64", "int32", "bool"]


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

    @property
    def shares(self) -> dict[str, float]:
        """The splits given as shares, in the order written."""
        return dict(self.__pydantic_extra__ or {})


class Transform(Use):
    """A scikit-learn transformer fitted on one split and applied to all rows."""

    on: Annotated[
        Reference | tuple[Reference, ...],
        Field(description="the key (or keys) of features or targets to transform"),
    ]
    fit_on: Annotated[Name, Field(description="the split it is fitted on")] = "train"


class Data(Section):
    """One feature set: a table whose columns are features, targets or tags."""

    source: Annotated[
        Reference | Use,
        Field(
            description="a scikit-learn data set (sklearn.datasets.load_digits) or a file (.csv, .parquet)",
            examples=["sklearn.datasets.load_digits", "table.csv"],
        ),
    ]
    features: Annotated[Keys, Field(min_length=1, description="what nodes are fed with: key → columns")]
    targets: Annotated[Keys, Field(description="what losses and metrics compare with: key → columns")] = {}
    tags: Annotated[Keys, Field(description="kept with the rows, never fed by accident: groups, ids, times")] = {}
    splits: Annotated[Splits | None, Field(description="how rows are divided; left out: one split `all`")] = None
    transforms: Annotated[
        tuple[Transform, ...], Field(description="scikit-learn transformers, applied in the order written")
    ] = ()
