"""The `callbacks` section: what steers a train phase."""

from typing import Annotated, Literal

from pydantic import Field

from runexp.spec.base import Arguments, Count, Name, Section
from runexp.spec.built_in_callbacks import BuiltIn, OfExperiment
from runexp.spec.losses import Loss, Metric

LossItems = tuple[Name | Loss, ...]
MetricItems = tuple[str | Metric, ...]
Mode = Literal["min", "max"]


class Evaluation(Section):
    """Evaluate on another split while training; its numbers are named after the split (`val_loss`)."""

    use: Annotated[Literal["evaluation"], Field(description="evaluate on a split during training")]
    split: Annotated[Name, Field(description="the split that is evaluated")]
    losses: Annotated[LossItems | None, Field(description="left out: the losses of the phase")] = None
    metrics: Annotated[MetricItems, Field(description="names of the catalog, of `metrics:`, or inline")] = ()
    prefix: Annotated[
        Name | None,
        Field(description="names are `<prefix>_loss`, `<prefix>_<metric>`; left out: the split's name"),
    ] = None
    every_n_epochs: Annotated[Count, Field(description="evaluate after every n-th epoch")] = 1
    every_n_steps: Annotated[
        Count | None, Field(description="after every n-th update instead, also amid an epoch; left out: by epochs")
    ] = None
    at_start: Annotated[bool, Field(description="also evaluate before the first epoch")] = False
    at_end: Annotated[bool, Field(description="also at the end of the phase, unless that was just evaluated")] = False
    batch_size: Annotated[Count, Field(description="rows a forward pass; the numbers do not depend on it")] = 1024
    sampler: Annotated[
        Name | None,
        Field(description="draws pairs or triplets for losses that take roles; left out: the phase's own"),
    ] = None


class EarlyStopping(Section):
    """Stop when a monitored metric no longer improves."""

    use: Annotated[Literal["early_stopping"], Field(description="stop when a metric no longer improves")]
    monitor: Annotated[str, Field(min_length=1, description="the metric: `val_loss`, `val_accuracy`, `train_loss`")]
    mode: Annotated[
        Mode | None, Field(description="whether less or more is better; left out: known from the metric")
    ] = None
    patience: Annotated[Count, Field(description="evaluations without improvement before it stops")] = 5
    min_delta: Annotated[float, Field(ge=0, allow_inf_nan=False, description="what counts as an improvement")] = 0.0
    restore_best: Annotated[bool, Field(description="end the phase with the weights of the best evaluation")] = False


class Custom(Section):
    """A callback class of the user's, by its dotted path."""

    use: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$", description="a dotted path to a class")]
    arguments: Annotated[Arguments, Field(alias="with", description="its keyword arguments")] = {}
    on_error: Annotated[Literal["fail", "warn"], Field(description="what an exception in it does to the run")] = "fail"


Known = Annotated[Evaluation | EarlyStopping | BuiltIn, Field(discriminator="use")]
Callback = Known | Custom
ExperimentCallback = Annotated[OfExperiment, Field(discriminator="use")] | Custom
CallbackItems = tuple[Name | Known | Custom, ...]
