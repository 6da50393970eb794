"""The `phases` section: what happens in which order."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runexp.spec.base import Count, Name, Positive, Section, Share, Use
from runexp.spec.callbacks import CallbackItems, LossItems, MetricItems, Mode

InnerLabel = Annotated[
    str,
    Field(pattern=r"^([A-Za-z_][A-Za-z0-9_-]*|[0-9]+)$", max_length=100, description="a name; repeats count from 0"),
]


class Batches(Section):
    """How a split is drawn: every row once an epoch."""

    size: Annotated[Count, Field(description="rows a batch")] = 32
    shuffle: Annotated[bool, Field(description="a new order each epoch, known from seed, phase and epoch")] = True
    drop_last: Annotated[bool, Field(description="leave out a last batch that is not full")] = False


class Optimizer(Use):
    """A torch optimizer, with options that differ by node."""

    groups: Annotated[dict[Name, dict[str, Any]], Field(description="options by node: `{encoder: {lr: 1e-4}}`")] = {}


class Schedule(Section):
    """The learning rate over the phase, as a ratio of the optimizer's own; stepped after every update."""

    use: Annotated[
        Literal["constant", "linear", "cosine", "one_cycle", "step", "exponential"],
        Field(description="the curve after the warm-up"),
    ]
    warmup_steps: Annotated[int, Field(ge=0, description="updates over which the rate rises linearly")] = 0
    warmup_epochs: Annotated[
        float | None, Field(ge=0, allow_inf_nan=False, description="the same in epochs; one of the two")
    ] = None
    min_ratio: Annotated[Share, Field(description="linear, cosine, one_cycle: the ratio at the end")] = 0.0
    step_epochs: Annotated[Count, Field(description="step, exponential: epochs between two decays")] = 1
    gamma: Annotated[Positive, Field(description="step, exponential: factor of each decay")] = 0.1
    peak_at: Annotated[Share, Field(description="one_cycle: where the peak stands")] = 0.3


class Clip(Section):
    """Bounds on gradients, applied just before each update."""

    norm: Annotated[Positive | None, Field(description="largest total norm")] = None
    value: Annotated[Positive | None, Field(description="largest absolute value")] = None


class Checkpoints(Section):
    """When a train phase saves its state in the run folder."""

    at: Annotated[Literal["epoch_end"], Field(description="the moment")] = "epoch_end"
    every_n: Annotated[Count, Field(description="every n-th of these moments")] = 1
    max_to_keep: Annotated[Count | None, Field(description="older ones go; best and last stay")] = None
    monitor: Annotated[str | None, Field(description="the metric by which the best is known")] = None
    mode: Annotated[Mode | None, Field(description="left out: known from the metric")] = None


class TrainPhase(Section):
    """Train nodes by batches with an optimizer."""

    kind: Annotated[Literal["train"], Field(description="iterative training")]
    split: Annotated[Name, Field(description="the split it draws from")] = "train"
    batches: Annotated[Batches, Field(default_factory=Batches, description="how rows are drawn")]
    epochs: Annotated[Count | None, Field(description="passes over the split")] = None
    steps: Annotated[Count | None, Field(description="optimizer updates, instead of epochs")] = None
    losses: Annotated[LossItems, Field(min_length=1, description="what is minimised: names or definitions")]
    optimizer: Annotated[Optimizer, Field(description="a torch optimizer")]
    schedule: Annotated[Schedule | None, Field(description="learning rate over the phase")] = None
    clip: Annotated[Clip | None, Field(description="bounds on gradients")] = None
    accumulate: Annotated[
        Count, Field(description="batches a step: its gradient is the mean of theirs, on a short last step too")
    ] = 1
    nodes: Annotated[
        tuple[Name, ...] | None,
        Field(min_length=1, description="the nodes that train; left out: all not frozen"),
    ] = None
    callbacks: Annotated[CallbackItems, Field(description="names or definitions")] = ()
    checkpoints: Annotated[Checkpoints | None, Field(description="when to save")] = None


class EvalPhase(Section):
    """Measure losses and metrics over a split; changes nothing."""

    kind: Annotated[Literal["eval"], Field(description="evaluation only")]
    split: Annotated[Name, Field(description="the split that is evaluated")]
    losses: Annotated[LossItems, Field(description="names or definitions")] = ()
    metrics: Annotated[MetricItems, Field(description="names of the catalog, of `metrics:`, or inline")] = ()
    batch_size: Annotated[Count, Field(description="rows a forward pass; the numbers do not depend on it")] = 1024


class FitPhase(Section):
    """Fit scikit-learn estimators in closed form, on all rows of a split."""

    kind: Annotated[Literal["fit"], Field(description="closed-form fit")]
    nodes: Annotated[
        tuple[Name, ...] | None,
        Field(min_length=1, description="left out: every estimator that is not fitted yet"),
    ] = None
    split: Annotated[Name, Field(description="the split they are fitted on")] = "train"
    targets: Annotated[
        dict[Name, str],
        Field(description="node → target it learns, where there are several: `{forest: targets.y}`"),
    ] = {}
    freeze_after_fit: Annotated[bool, Field(description="keep fitted estimators as they are afterwards")] = True


class PhaseGroup(Section):
    """Phases under one name, run in order, once or once for each item of `repeat`."""

    kind: Annotated[Literal["group"], Field(description="phases under one name")]
    phases: Annotated[dict[InnerLabel, Phase], Field(min_length=1, description="phases in the order they run")]
    repeat: Annotated[
        tuple[dict[str, Any], ...] | None,
        Field(min_length=1, description="run once with each of these values, written `${each.name}` inside"),
    ] = None


Phase = Annotated[TrainPhase | EvalPhase | FitPhase | PhaseGroup, Field(discriminator="kind")]
