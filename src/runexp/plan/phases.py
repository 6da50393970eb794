"""The planned phases: everything a phase needs to run, every default filled in."""

from __future__ import annotations

from typing import Literal

from runexp.plan.graph import LossPlan, MetricPlan
from runexp.plan.lanes import BatchPlan as BatchPlan
from runexp.plan.lanes import LanePlan
from runexp.plan.values import Call, FrozenMap, Origin
from runexp.records import dataclass

Mode = Literal["min", "max"]
Moment = Literal["phase_start", "epoch_start", "batch_start", "batch_end", "epoch_end", "phase_end"]
"""The moments of a train phase at which it can save its state."""
RunMoment = Literal["experiment_start", "group_start", "phase_start", "phase_end", "group_end", "experiment_end"]
"""Those of the whole experiment."""
PrecisionName = Literal["fp32", "bf16", "fp16"]
Recorded = Literal["predictions", "outputs"]
"""What an eval phase keeps of every row."""
RECORD_OUTPUTS, RECORD_GRADIENTS = "record_outputs", "record_gradients"
"""The callbacks that a train phase has for what it records."""
BatchSchedule = Literal["zip_strict", "zip_cycle", "alternate_strict", "alternate_cycle"]


@dataclass(frozen=True, slots=True)
class OptimizerPlan:
    """A torch optimizer and the options that differ by node or by parameter.

    `groups` maps a node or a pattern of `<node>.<parameter>` to options; where several match, the later one wins.
    `decays` says what the weight decay acts on: every parameter, or those of two or more dimensions.
    """

    call: Call
    groups: FrozenMap
    origin: Origin
    decays: Literal["all", "matrices"] = "all"


@dataclass(frozen=True, slots=True)
class TurnPlan:
    """One of several optimizers of a phase: at every n-th step it moves `trains` to minimise `losses`, the names of
    losses of the phase, for which `runs` run, in topological order (S-13)."""

    name: str
    optimizer: OptimizerPlan
    trains: tuple[str, ...]
    losses: tuple[str, ...]
    runs: tuple[str, ...]
    every_n_steps: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class SchedulePlan:
    """The learning rate over a phase.

    A curve of ours is a ratio of the optimizer's own rate, by update, with what it reads in `options`. `call` is a
    scheduler of torch instead, stepped after every update or every epoch (`interval`). A curve runs over the phase;
    over `n_epochs` or `n_steps` where it has a length of its own, after which it stays at its end.
    """

    curve: str
    warmup_steps: int
    warmup_epochs: float
    options: FrozenMap
    origin: Origin
    call: Call | None = None
    interval: Literal["step", "epoch"] = "step"
    n_epochs: int = 0
    n_steps: int = 0


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """Bounds on gradients; 0 means none."""

    norm: float
    value: float


@dataclass(frozen=True, slots=True)
class EvalPlan:
    """An evaluation of losses and metrics over one split.

    `nodes` are those that must run, in topological order; numbers are named `<prefix><name>`. `lanes` are empty where
    rows come alone, in their order; otherwise the one that draws them together, in an order that never changes.
    """

    label: str
    split: str
    data: tuple[str, ...]
    nodes: tuple[str, ...]
    losses: tuple[LossPlan, ...]
    metrics: tuple[MetricPlan, ...]
    batch_size: int
    prefix: str
    origin: Origin
    lanes: tuple[LanePlan, ...] = ()
    record: tuple[Recorded, ...] = ()

    @property
    def produces(self) -> tuple[str, ...]:
        """The names of the numbers it reports."""
        total = ("loss",) if self.losses else ()
        names = (*total, *(loss.name for loss in self.losses), *(metric.name for metric in self.metrics))
        return tuple(f"{self.prefix}{name}" for name in names)


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """Evaluate while training: after every n-th epoch, or with `every_n_steps` (0: none) after every n-th update
    instead; before the first and at the end if asked."""

    name: str
    evaluation: EvalPlan
    every_n_epochs: int
    at_start: bool
    origin: Origin
    every_n_steps: int = 0
    at_end: bool = False


@dataclass(frozen=True, slots=True)
class EarlyStoppingPlan:
    """Stop when a metric no longer improves; patience counts its evaluations."""

    name: str
    monitor: str
    mode: Mode
    patience: int
    min_delta: float
    restore_best: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class BuiltInPlan:
    """Another callback that runexp brings, with its options; `produces` are numbers it is known to report."""

    name: str
    use: str
    options: FrozenMap
    produces: tuple[str, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class OwnCallbackPlan:
    """A callback class of the user's; what it raises fails the run, or takes it out of the phase with a warning."""

    name: str
    call: Call
    on_error: Literal["fail", "warn"]
    origin: Origin


CallbackPlan = EvaluationPlan | EarlyStoppingPlan | BuiltInPlan | OwnCallbackPlan
MadePlan = BuiltInPlan | OwnCallbackPlan
"""The callbacks that need what is live; a runtime makes them."""


@dataclass(frozen=True, slots=True)
class CheckpointPlan:
    """When a train phase saves its state, and under which names; `monitor` is empty where no best is kept,
    `max_to_keep` 0 for all. In memory it keeps weights and buffers alone."""

    at: Moment
    every_n: int
    max_to_keep: int
    monitor: str
    mode: Mode
    origin: Origin
    where: Literal["disk", "memory"] = "disk"
    name: str = "epoch-{epoch:4}"


@dataclass(frozen=True, slots=True)
class RunCheckpointPlan:
    """When the whole experiment saves its state; `max_to_keep` 0 for all."""

    at: tuple[RunMoment, ...]
    max_to_keep: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class FreezeRule:
    """A node, or a pattern of `<node>.<parameter>`, that is frozen or trains from here on.

    `is_own`: it was written at this phase, and not at a node or an earlier phase.
    """

    pattern: str
    is_frozen: bool
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """Training of some nodes on one split.

    `nodes` run, in topological order; `trains` are those of them whose parameters the optimizer moves, as far as
    `freezing` lets it: everything said so far about them, of which the last that matches a parameter counts.
    One of `n_epochs` and `n_steps` is 0. `lanes` are empty where there is only one and all it has is `data`, `split`
    and `batches`; `batch_schedule` puts the batches of several together. `optimizer` is None where there are several:
    `turns`, taken one after the other at each step.
    """

    label: str
    split: str
    data: tuple[str, ...]
    nodes: tuple[str, ...]
    trains: tuple[str, ...]
    losses: tuple[LossPlan, ...]
    batches: BatchPlan
    n_epochs: int
    n_steps: int
    optimizer: OptimizerPlan | None
    schedule: SchedulePlan | None
    clip: ClipPlan
    accumulate: int
    callbacks: tuple[CallbackPlan, ...]
    checkpoints: CheckpointPlan | None
    origin: Origin
    freezing: tuple[FreezeRule, ...] = ()
    lanes: tuple[LanePlan, ...] = ()
    batch_schedule: BatchSchedule = "zip_strict"
    turns: tuple[TurnPlan, ...] = ()
    learns: FrozenMap = FrozenMap({})
    """Estimators that learn by batches, and the target (feature set, key) of each, None for one that has none; then
    there is no optimizer and no loss."""
    precision: PrecisionName = "fp32"

    @property
    def optimizers(self) -> tuple[OptimizerPlan, ...]:
        """Every optimizer of the phase."""
        return (self.optimizer,) if self.optimizer else tuple(turn.optimizer for turn in self.turns)

    @property
    def batch_size(self) -> int:
        """The rows, pairs or triplets of the largest batch."""
        return max((lane.size for lane in self.lanes), default=self.batches.size)

    @property
    def evaluations(self) -> tuple[EvalPlan, ...]:
        """The evaluations inside it, in the order of its callbacks."""
        return tuple(item.evaluation for item in self.callbacks if isinstance(item, EvaluationPlan))


@dataclass(frozen=True, slots=True)
class FitPlan:
    """Closed-form fit of estimators, in topological order; `targets` maps node → (feature set, key)."""

    label: str
    split: str
    data: tuple[str, ...]
    nodes: tuple[str, ...]
    runs: tuple[str, ...]
    targets: FrozenMap
    freeze_after_fit: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """Phases under one label; labels inside are `group/phase`."""

    label: str
    phases: tuple[PhasePlan, ...]
    origin: Origin


PhasePlan = TrainPlan | EvalPlan | FitPlan | GroupPlan

Leaf = TrainPlan | EvalPlan | FitPlan
"""A phase, or an evaluation inside one."""
