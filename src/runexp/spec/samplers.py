"""The `samplers` section: how rows are drawn where a plain batch size does not say enough."""

from typing import Annotated, Literal

from pydantic import Field

from runexp.spec.base import Count, Name, Reference, Section, Share


class Match(Section):
    """How similar two rows must be in one column to be drawn together."""

    same: Annotated[bool | None, Field(description="the same value (true) or another (false)")] = None
    within: Annotated[float | None, Field(ge=0, description="at most this far apart")] = None
    beyond: Annotated[float | None, Field(ge=0, description="at least this far apart")] = None


class Sampler(Section):
    """Draws batches of a feature set; may emit several roles and streams."""

    use: Annotated[
        Literal[
            "simple", "sequential", "stratified", "grouped", "weighted", "class_balanced", "length_bucketed",
            "pairs", "triplets", "n_way",
        ],
        Field(description="what is drawn together"),
    ]  # fmt: skip
    data: Annotated[Name | None, Field(description="the feature set; left out: the only one")] = None
    size: Annotated[Count, Field(description="rows, pairs or triplets a batch")] = 32
    shuffle: Annotated[bool, Field(description="a new order each epoch")] = True
    drop_last: Annotated[bool, Field(description="leave out a last batch that is not full")] = False
    by: Annotated[
        Reference | None,
        Field(description="stratified, grouped, weighted, class_balanced, length_bucketed: the column"),
    ] = None
    match: Annotated[dict[Reference, Match], Field(description="pairs, triplets, n_way: conditions by column")] = {}
    roles: Annotated[
        tuple[Name, ...], Field(description="names of what is drawn together: anchor, positive, negative")
    ] = ()
    streams: Annotated[tuple[Name, ...], Field(description="names of several streams of batches")] = ()
    share: Annotated[Share | None, Field(description="pairs: the share that matches")] = None
