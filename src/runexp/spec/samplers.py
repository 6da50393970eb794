"""The `samplers` section: how rows are drawn where a plain batch size does not say enough."""

from typing import Annotated, Literal

from pydantic import Field

from runexp.spec.base import Count, Name, Reference, Section, Share


class Match(Section):
    """How similar two rows must be in one column to be drawn together; what is written holds together."""

    same: Annotated[bool | None, Field(description="the same value (true) or another (false)")] = None
    within: Annotated[
        float | None, Field(ge=0, allow_inf_nan=False, description="at most this far apart; of times in seconds")
    ] = None
    beyond: Annotated[
        float | None, Field(ge=0, allow_inf_nan=False, description="at least this far apart; of times in seconds")
    ] = None


Matches = dict[Reference, Match]
"""Conditions by column, which hold together."""


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
        Field(description="the column of classes, groups, weights or lengths; n_way: of classes"),
    ] = None
    bins: Annotated[
        int | None,
        Field(ge=2, description="stratified, class_balanced: cut a column of numbers into ranges of equally many rows"),
    ] = None
    mix: Annotated[
        bool, Field(description="grouped: several whole groups a batch, or (false) one group, cut where it is large")
    ] = True
    match: Annotated[Matches, Field(description="pairs, triplets: what the pair or the positive meets")] = {}
    mismatch: Annotated[
        Matches, Field(description="pairs, triplets: what does not match meets; left out: whatever does not match")
    ] = {}
    others: Annotated[
        dict[Name, Matches], Field(description="n_way: by role, the conditions its row meets with the anchor")
    ] = {}
    roles: Annotated[
        tuple[Name, ...], Field(description="other names of what is drawn together: anchor, positive, negative")
    ] = ()
    streams: Annotated[
        tuple[Name, ...],
        Field(description="two streams: of pairs that match and that do not, or of support and query rows"),
    ] = ()
    share: Annotated[Share | None, Field(description="pairs: the share that matches; left out: all")] = None
    per_anchor: Annotated[Count, Field(description="pairs, triplets: how many of each anchor an epoch")] = 1
    per_epoch: Annotated[
        Count | None, Field(description="rows, pairs, triplets or (n_way) batches an epoch; left out: every row")
    ] = None
    n_way: Annotated[int | None, Field(ge=2, description="n_way: classes a batch")] = None
    k_shot: Annotated[Count | None, Field(description="n_way: rows of each class")] = None
    queries: Annotated[
        Count | None, Field(description="n_way: more rows of each class, in a stream beside: support and query")
    ] = None
    weight: Annotated[
        Reference | None, Field(description="a column of weights; a pair or triplet has the product of its rows'")
    ] = None
    closeness: Annotated[
        bool, Field(description="pairs, triplets: weigh by 1 - distance / within, from 1 (equal) to 0 (just within)")
    ] = False
