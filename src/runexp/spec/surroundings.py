"""The sections around an experiment: where it computes, what guards it, who tracks it, what it registers."""

from typing import Annotated, Literal

from pydantic import Field

from runexp.spec.base import Arguments, Count, Name, Positive, Reference, Section
from runexp.spec.later import Later

Duration = Annotated[str, Field(pattern=r"^\d+(\.\d+)?\s*(s|min|h|d)$", description="for instance `90 min`, `2 h`")]
Size = Annotated[str, Field(pattern=r"^\d+(\.\d+)?\s*([KMGT]i?B|B)$", description="for instance `8 GiB`")]
Threshold = Annotated[
    str,
    Field(
        pattern=r"^\s*(>=|<=|>|<|==)\s*-?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*$", description="for instance `>= 0.95`"
    ),
]


class Execution(Section):
    """Where and how the experiment computes."""

    device: Annotated[
        str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:1 or mps")
    ] = "auto"
    threads: Annotated[Count | None, Field(description="CPU threads of torch; left out: torch decides")] = None
    precision: Annotated[
        Literal["fp32", "bf16", "fp16"],
        Field(description="what train phases compute forward passes and losses in; weights and evaluations stay fp32"),
    ] = "fp32"
    compile: Annotated[bool, Field(description="compile nodes with torch.compile")] = False
    deterministic: Annotated[bool, Field(description="refuse what cannot be repeated bit for bit")] = False
    allocator: Annotated[Literal["default", "expandable_segments"], Field(description="of CUDA memory")] = "default"
    distributed: Annotated[
        Literal["none", "ddp", "fsdp"], Field(description="over several devices"), Later("distributed training")
    ] = "none"


class NotDecreasing(Section):
    """When a loss that does not fall is reported."""

    epochs: Annotated[Count, Field(description="epochs without a lower loss")] = 5
    metric: Annotated[str, Field(description="the number that is watched")] = "train_loss"


class Guards(Section):
    """Limits on a run and thresholds on its numbers."""

    time: Annotated[Duration | None, Field(description="the run ends after this long; `resume` has it anew")] = None
    memory: Annotated[Size | None, Field(description="the run ends when a process of it holds more")] = None
    disk: Annotated[Size | None, Field(description="the run ends when its folder holds more")] = None
    on_nan: Annotated[Literal["stop", "warn", "skip"], Field(description="what a loss that is not finite does")] = (
        "stop"
    )
    loss_not_decreasing: Annotated[NotDecreasing | None, Field(description="an alert, not a stop")] = None
    require: Annotated[dict[str, Threshold], Field(description="exit 1 when missed: `{test.accuracy: '>= 0.95'}`")] = {}


class MLflow(Section):
    """Metrics, parameters and artifacts to an MLflow server or database."""

    uri: Annotated[str | None, Field(description="left out: an SQLite database in the runs folder")] = None
    experiment: Annotated[str | None, Field(description="left out: the spec's name")] = None
    per_batch: Annotated[bool, Field(description="also the losses of every batch")] = False


class TensorBoard(Section):
    """Event files for TensorBoard in the run folder."""

    per_batch: Annotated[bool, Field(description="also the losses of every batch")] = False
    histograms_every_n_epochs: Annotated[int, Field(ge=0, description="of weights and gradients; 0: never")] = 0


class Tracker(Section):
    """A tracker of yours, or one that an installed package registers."""

    use: Annotated[Reference, Field(description="a registered name, or a dotted path to a class")]
    arguments: Annotated[Arguments, Field(alias="with", description="its keyword arguments")] = {}
    per_batch: Annotated[bool, Field(description="also the losses of every batch")] = False


class Tracking(Section):
    """Who else receives a run's numbers; the run folder always does."""

    mlflow: Annotated[MLflow | bool, Field(description="MLflow")] = False
    tensorboard: Annotated[TensorBoard | bool, Field(description="TensorBoard")] = False
    others: Annotated[dict[Name, Tracker], Field(description="further trackers, by a name of yours")] = {}
    resources: Annotated[bool, Field(description="CPU, memory, GPU and throughput as metrics")] = False
    every_seconds: Annotated[Positive, Field(description="between two looks at the resources")] = 5.0


class Register(Section):
    """The trained model under a name in a registry."""

    name: Annotated[str, Field(min_length=1, max_length=200, description="the model's name")]
    nodes: Annotated[tuple[Name, ...] | None, Field(min_length=1, description="left out: the whole graph")] = None
    alias: Annotated[Name | None, Field(description="for instance `champion`")] = None
    only_if: Annotated[dict[str, Threshold], Field(description="thresholds it must reach")] = {}


class RunCheckpoints(Section):
    """When the whole experiment saves its state."""

    at: Annotated[
        tuple[
            Literal["experiment_start", "experiment_end", "phase_start", "phase_end", "group_start", "group_end"], ...
        ],
        Field(min_length=1, description="the moments"),
    ] = ("phase_end",)
    max_to_keep: Annotated[Count | None, Field(description="older ones go")] = None
