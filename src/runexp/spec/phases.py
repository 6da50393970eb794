"""The `phases` section: what happens in which order."""

from typing import Annotated, Any, Literal

from pydantic import Field

from runexp.spec.base import Arguments, Count, Name, Positive, Reference, Section, Share, Use
from runexp.spec.callbacks import CallbackItems, LossItems, MetricItems, Mode
from runexp.spec.samplers import Sampler

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
    """A torch optimizer, with options that differ by node or by parameter."""

    groups: Annotated[
        dict[str, dict[str, Any]],
        Field(
            description="options by node or by pattern of `<node>.<parameter>`: `{encoder: {lr: 1e-4}, '*.bias': "
            "{weight_decay: 0}}`; where several match, the later one wins"
        ),
    ] = {}
    decay: Annotated[
        Literal["all", "matrices"],
        Field(
            description="what weight decay acts on: `all` parameters, or `matrices`, those of two or more dimensions, "
            "which leaves out biases and norms"
        ),
    ] = "all"


class NamedOptimizer(Optimizer):
    """One of several optimizers of a phase, with its own nodes and losses."""

    nodes: Annotated[tuple[Name, ...], Field(min_length=1, description="what it moves")]
    losses: Annotated[tuple[Name, ...], Field(min_length=1, description="what it minimises")]
    every_n_steps: Annotated[Count, Field(description="it moves at every n-th step")] = 1


class Schedule(Section):
    """The learning rate over the phase: a curve of runexp, as a ratio of the optimizer's own rate, or one of torch."""

    use: Annotated[
        Reference,
        Field(
            description="the curve after the warm-up: constant, linear, cosine, cosine_restarts, one_cycle, step, "
            "exponential, polynomial, plateau, or a class of torch.optim.lr_scheduler",
            examples=["cosine", "one_cycle", "plateau", "torch.optim.lr_scheduler.MultiStepLR"],
        ),
    ]
    arguments: Annotated[Arguments, Field(alias="with", description="arguments of a scheduler of torch")] = {}
    interval: Annotated[
        Literal["step", "epoch"] | None,
        Field(description="a scheduler of torch: stepped after every update or every epoch; left out: every epoch"),
    ] = None
    warmup_steps: Annotated[int, Field(ge=0, description="updates over which the rate rises linearly")] = 0
    warmup_epochs: Annotated[
        float | None, Field(ge=0, allow_inf_nan=False, description="the same in epochs; one of the two")
    ] = None
    epochs: Annotated[
        Count | None, Field(description="length of a curve, which then stays at its end; left out: the phase")
    ] = None
    steps: Annotated[Count | None, Field(description="the same in updates; one of the two")] = None
    min_ratio: Annotated[Share, Field(description="the lowest ratio a curve reaches")] = 0.0
    every_n_epochs: Annotated[Count, Field(description="step: epochs between two decays")] = 1
    factor: Annotated[Positive, Field(description="step, exponential, plateau: factor of each decay")] = 0.1
    peak_at: Annotated[Share, Field(description="one_cycle: the part of the phase at which the peak stands")] = 0.3
    n_cycles: Annotated[Count, Field(description="cosine_restarts: how many times it falls")] = 2
    growth: Annotated[
        float, Field(ge=1, allow_inf_nan=False, description="cosine_restarts: each cycle as a multiple of the last")
    ] = 1.0
    power: Annotated[Positive, Field(description="polynomial: the exponent")] = 1.0
    monitor: Annotated[str | None, Field(description="plateau: the metric, such as `val_loss`")] = None
    mode: Annotated[Mode | None, Field(description="plateau: left out: known from the metric")] = None
    patience: Annotated[int, Field(ge=0, description="plateau: evaluations without an improvement")] = 10
    threshold: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="plateau: the least relative change that improves")
    ] = 1e-4
    cooldown: Annotated[int, Field(ge=0, description="plateau: evaluations that do not count after a fall")] = 0


class Clip(Section):
    """Bounds on gradients, applied just before each update."""

    norm: Annotated[Positive | None, Field(description="largest total norm")] = None
    value: Annotated[Positive | None, Field(description="largest absolute value")] = None


class Checkpoints(Section):
    """When a train phase saves its state."""

    at: Annotated[
        Literal["epoch_end", "epoch_start", "phase_start", "phase_end", "batch_start", "batch_end"],
        Field(description="the moment, after its callbacks"),
    ] = "epoch_end"
    every_n: Annotated[Count, Field(description="every n-th of these moments, and the last")] = 1
    max_to_keep: Annotated[Count | None, Field(description="older ones go; best and last stay")] = None
    monitor: Annotated[str | None, Field(description="the metric by which the best is known")] = None
    mode: Annotated[Mode | None, Field(description="left out: known from the metric")] = None
    where: Annotated[
        Literal["disk", "memory"],
        Field(description="in the run folder, or in memory: weights only, for callbacks that go back to them"),
    ] = "disk"
    name: Annotated[
        str | None,
        Field(
            max_length=200,
            description="with {phase}, {epoch}, {batch}, {step} and metrics, digits and decimals after a colon: "
            "`{epoch:4}-{val_loss:.3}`; left out: `epoch-0003`",
        ),
    ] = None


class PhaseInput(Section):
    """A binding as this phase uses it."""

    binding: Annotated[Name, Field(description="the binding")]
    split: Annotated[Name | None, Field(description="another split")] = None
    sampler: Annotated[Name | None, Field(description="another sampler")] = None
    stream: Annotated[Name | None, Field(description="another stream")] = None


class TrainPhase(Section):
    """Train nodes by batches with an optimizer."""

    kind: Annotated[Literal["train"], Field(description="iterative training")]
    split: Annotated[Name, Field(description="the split it draws from")] = "train"
    batches: Annotated[
        Batches | Sampler | Name, Field(default_factory=Batches, description="how rows are drawn, or a sampler")
    ]
    epochs: Annotated[Count | None, Field(description="passes over the split")] = None
    steps: Annotated[Count | None, Field(description="optimizer updates, instead of epochs")] = None
    losses: Annotated[
        LossItems,
        Field(
            min_length=1,
            description="what is minimised: names or definitions; left out where estimators learn by batches",
        ),
    ] = ()
    optimizer: Annotated[Optimizer | None, Field(description="a torch optimizer")] = None
    optimizers: Annotated[
        dict[Name, NamedOptimizer],
        Field(description="several, each with its nodes and losses, taken in turn (adversarial training)"),
    ] = {}
    schedule: Annotated[Schedule | None, Field(description="learning rate over the phase")] = None
    clip: Annotated[Clip | None, Field(description="bounds on gradients")] = None
    accumulate: Annotated[
        Count, Field(description="batches a step: its gradient is the mean of theirs, on a short last step too")
    ] = 1
    nodes: Annotated[
        tuple[Name, ...] | None,
        Field(
            min_length=1,
            description="the nodes that train; left out: all modules not frozen. Estimators with `partial_fit`, named "
            "here, learn from each batch, in a phase of their own",
        ),
    ] = None
    targets: Annotated[
        dict[Name, str],
        Field(description="estimator → target it learns, where there are several: `{classifier: targets.y}`"),
    ] = {}
    callbacks: Annotated[CallbackItems, Field(description="names or definitions")] = ()
    checkpoints: Annotated[Checkpoints | None, Field(description="when to save")] = None
    inputs: Annotated[
        tuple[Name | PhaseInput, ...] | None,
        Field(min_length=1, description="left out: the bindings of the nodes that run"),
    ] = None
    batch_schedule: Annotated[
        Literal["zip_strict", "zip_cycle", "alternate_strict", "alternate_cycle"] | None,
        Field(
            description="how batches of several bindings are put together: side by side (zip) or in turn (alternate), "
            "to the end of the shortest (strict) or of the longest (cycle); left out: zip_strict"
        ),
    ] = None
    freeze: Annotated[
        tuple[str, ...], Field(description="nodes or patterns of `<node>.<parameter>` frozen from here on")
    ] = ()
    unfreeze: Annotated[
        tuple[str, ...], Field(description="nodes or patterns of `<node>.<parameter>` that train from here on")
    ] = ()
    precision: Annotated[
        Literal["fp32", "bf16", "fp16"] | None,
        Field(description="what forward passes and losses are computed in, instead of `execution`'s"),
    ] = None
    record: Annotated[
        tuple[Literal["outputs", "gradients"], ...],
        Field(
            description="what is kept of every batch, in a table of the run folder: `outputs` of every node for its "
            "rows, `gradients` as the norm of each parameter's at every update, before clipping"
        ),
    ] = ()


class EvalPhase(Section):
    """Measure losses and metrics over a split; changes nothing."""

    kind: Annotated[Literal["eval"], Field(description="evaluation only")]
    split: Annotated[Name, Field(description="the split that is evaluated")]
    losses: Annotated[LossItems, Field(description="names or definitions")] = ()
    metrics: Annotated[MetricItems, Field(description="names of the catalog, of `metrics:`, or inline")] = ()
    batch_size: Annotated[Count, Field(description="rows a forward pass; the numbers do not depend on it")] = 1024
    sampler: Annotated[
        Name | None,
        Field(description="draws pairs or triplets for losses that take roles; left out: that of the bindings"),
    ] = None
    record: Annotated[
        tuple[Literal["predictions", "outputs"], ...],
        Field(
            description="what is kept of every row, in a table of the run folder: `predictions` in the target's own "
            "units and by the names of its classes, `outputs` of every node as they are"
        ),
    ] = ()


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
    phases: Annotated[dict[InnerLabel, "Phase"], Field(min_length=1, description="phases in the order they run")]
    repeat: Annotated[
        tuple[dict[str, Any], ...] | None,
        Field(
            min_length=1,
            description="the values of each turn, `[{lr: 0.1}, {lr: 0.01}]`, used as `${each.lr}`",
        ),
    ] = None


Phase = Annotated[TrainPhase | EvalPhase | FitPhase | PhaseGroup, Field(discriminator="kind")]
