"""The `losses` and `metrics` sections: what is minimised and what is reported."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from runexp.spec.base import Name, Reference, Use

Routes = tuple[Reference, ...] | dict[Name, Reference]


class Loss(Use):
    """A loss applied to a node: optimised in train phases, reported in evaluations."""

    node: Annotated[Name, Field(description="the node whose output it judges")]
    inputs: Annotated[
        Routes | None,
        Field(
            description="what it is given, in order or by keyword; left out: the node's output and the only target",
            examples=[["outputs", "targets.label"]],
        ),
    ] = None
    weight: Annotated[float, Field(allow_inf_nan=False, description="its share of the total, `train_loss`")] = 1.0


class Metric(Use):
    """A number reported over a whole split; never optimised."""

    node: Annotated[Name | None, Field(description="the node it judges, where that is not obvious")] = None
    inputs: Annotated[
        Routes | None,
        Field(description="predictions and targets; left out: the node's output and its loss's target"),
    ] = None
