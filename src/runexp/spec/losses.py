"""The `losses` and `metrics` sections: what is minimised and what is reported."""

from typing import Annotated, Literal

from pydantic import Field

from runexp.spec.base import Count, Name, Reference, Section, Use

Routes = tuple[Reference, ...] | dict[Name, Reference]


class WeightSchedule(Section):
    """A loss's weight over the phase."""

    use: Annotated[Literal["linear", "cosine", "step"], Field(description="the curve; step: all at once, at its end")]
    start: Annotated[float, Field(allow_inf_nan=False, description="weight at the first step")]
    end: Annotated[float, Field(allow_inf_nan=False, description="weight at the end of the curve")]
    epochs: Annotated[Count | None, Field(description="length of the curve; left out: the phase")] = None


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
    weight: Annotated[
        Annotated[float, Field(allow_inf_nan=False)] | WeightSchedule,
        Field(description="its share of the total, `train_loss`"),
    ] = 1.0
    label: Annotated[
        Name | None,
        Field(description="the name its numbers have: `train_<label>`, `val_<label>`; left out: its own"),
    ] = None


class Metric(Use):
    """A number reported over a whole split; never optimised."""

    node: Annotated[Name | None, Field(description="the node it judges, where that is not obvious")] = None
    inputs: Annotated[
        Routes | None,
        Field(description="predictions and targets; left out: the node's output and its loss's target"),
    ] = None
    units: Annotated[
        Literal["original", "transformed"] | None,
        Field(
            description="of a target that transforms changed: `original` compares in its own units, `transformed` as "
            "it is learned; left out: original where the transforms can be taken back"
        ),
    ] = None
