"""The callbacks that runexp brings besides evaluation and early stopping, each with its options."""

from typing import Annotated, Literal

from pydantic import Field

from runexp.spec.base import Count, Name, Pattern, Positive, Section, Share

Mode = Literal["min", "max"]
Every = Annotated[Count, Field(description="after every n-th epoch")]
Monitor = Annotated[str, Field(min_length=1, description="the metric: `val_loss`, `val_accuracy`, `train_loss`")]
Direction = Annotated[Mode | None, Field(description="whether less or more is better; left out: known from the metric")]
Delta = Annotated[float, Field(ge=0, allow_inf_nan=False, description="what counts as an improvement")]
Patterns = Annotated[
    tuple[Pattern, ...],
    Field(min_length=1, description="nodes, or patterns of `<node>.<parameter>`"),
]
Epoch = Annotated[int, Field(ge=0, description="the epoch it happens before; the first is 0")]


class LearningRateMonitor(Section):
    """Report the learning rate of every group of the optimizer after each epoch (`lr_0`, `lr_1`, …)."""

    use: Annotated[Literal["learning_rate_monitor"], Field(description="report every learning rate")]


class Norms(Section):
    """Report the norm of the gradients (the mean over updates) and of the weights after each epoch."""

    use: Annotated[Literal["norms"], Field(description="report norms of gradients and weights")]
    by_node: Annotated[bool, Field(description="also of each node (`gradient_norm_<node>`)")] = False


class Histograms(Section):
    """Write histograms of weights, and of the last gradients, to `histograms.jsonl`."""

    use: Annotated[Literal["histograms"], Field(description="write histograms of weights and gradients")]
    bins: Annotated[int, Field(ge=2, le=1000, description="bins of each")] = 30
    every_n_epochs: Every = 1


class NanGuard(Section):
    """Look at every loss and gradient before an update."""

    use: Annotated[Literal["nan_guard"], Field(description="catch losses and gradients that are not finite")]
    on_nan: Annotated[
        Literal["stop", "warn", "skip"],
        Field(description="`stop` ends the run, `skip` leaves the update out, `warn` takes it"),
    ] = "stop"


class Ema(Section):
    """Average the weights exponentially: evaluations take the average, and the phase ends with it."""

    use: Annotated[Literal["ema"], Field(description="evaluate with a running average of the weights")]
    decay: Annotated[Share, Field(description="the share of the average that an update leaves")] = 0.999


class Swa(Section):
    """Average the weights of the last epochs evenly: evaluations take the average, and the phase ends with it."""

    use: Annotated[Literal["swa"], Field(description="evaluate with the mean of the weights of the last epochs")]
    from_epoch: Annotated[int, Field(ge=0, description="the first epoch whose weights count")]
    every_n_epochs: Every = 1


class Freeze(Section):
    """Hold some weights from an epoch on."""

    use: Annotated[Literal["freeze"], Field(description="hold weights from an epoch on")]
    nodes: Patterns
    epoch: Epoch


class Unfreeze(Section):
    """Hold some weights until an epoch."""

    use: Annotated[Literal["unfreeze"], Field(description="hold weights until an epoch")]
    nodes: Patterns
    epoch: Epoch


class GradualUnfreezing(Section):
    """Train the first of a list of nodes, and one more every n epochs."""

    use: Annotated[Literal["gradual_unfreezing"], Field(description="let one node after another train")]
    order: Annotated[
        tuple[Name, ...] | None,
        Field(min_length=1, description="which trains first; left out: from the last node of the graph to the first"),
    ] = None
    every_n_epochs: Annotated[Count, Field(description="epochs until the next")] = 1


class TimeLimit(Section):
    """Stop when a time is over; read after every batch."""

    use: Annotated[Literal["time_limit"], Field(description="stop when a time is over")]
    minutes: Annotated[Positive, Field(description="the time")]


class MemoryLimit(Section):
    """Stop when the process, or on a GPU the device, has held more memory; read after every epoch."""

    use: Annotated[Literal["memory_limit"], Field(description="stop when too much memory is held")]
    gigabytes: Annotated[Positive, Field(description="the bound, in 10⁹ bytes")]


class LossNotDecreasing(Section):
    """Warn when a metric has not improved for some time, and train on."""

    use: Annotated[Literal["loss_not_decreasing"], Field(description="warn when a metric does not improve")]
    monitor: Monitor = "train_loss"
    mode: Direction = None
    patience: Annotated[Count, Field(description="measurements without improvement before it warns")] = 5
    min_delta: Delta = 0.0


class SaveBest(Section):
    """Write the weights of the best epoch to `weights.safetensors`, with `best.json` beside it."""

    use: Annotated[Literal["save_best"], Field(description="write the weights of the best epoch")]
    monitor: Monitor
    mode: Direction = None


class ModelSummary(Section):
    """Write the layers, their parameters and what trains to `model.txt`."""

    use: Annotated[Literal["model_summary"], Field(description="write layers and parameters")]


class Throughput(Section):
    """Report rows a second and the most memory held (MB) after each epoch."""

    use: Annotated[Literal["throughput"], Field(description="report rows a second and memory")]


class Curves(Section):
    """Draw the numbers of every epoch so far as curves, into `curves.svg`."""

    use: Annotated[Literal["curves"], Field(description="draw the numbers of every epoch as curves")]
    metrics: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...] | None,
        Field(min_length=1, description="the numbers that are drawn; left out: all that the phase measures"),
    ] = None
    every_n_epochs: Annotated[Count, Field(description="drawn anew after every n-th epoch, and at the end")] = 1


BuiltIn = (
    LearningRateMonitor
    | Norms
    | Histograms
    | NanGuard
    | Ema
    | Swa
    | Freeze
    | Unfreeze
    | GradualUnfreezing
    | TimeLimit
    | MemoryLimit
    | LossNotDecreasing
    | SaveBest
    | ModelSummary
    | Throughput
    | Curves
)
OfExperiment = TimeLimit | MemoryLimit | ModelSummary
