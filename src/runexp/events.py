"""The facts of a run, in the past tense: what sinks receive, what the event log holds, what results are made of.

No clock and no random identity stands in an event: the same plan and seed give the same list.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Literal

from runexp.plan.values import FrozenMap, freeze

Status = Literal["completed", "stopped", "failed", "interrupted"]
PhaseKind = Literal["train", "eval", "fit"]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run began; `phases` are the labels to come, groups left out."""

    name: str
    seed: int
    plan: str
    device: str
    phases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoldStarted:
    """A fold of a cross-validation began; its phases stand in the group `group`.

    `name` says what is held out, where that has a name; rows are those of the first feature set. `digest` tells
    which are held out, and of which pool.
    """

    fold: int
    group: str
    name: str
    n_folds: int
    n_train: int
    n_held_out: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class FoldFinished:
    """A fold ended. `error` says what happened where it did not complete; `where` in which phase."""

    fold: int
    group: str
    status: Status
    error: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class RefitStarted:
    """The training on everything, after the folds, began; its phases stand in the group `group`."""

    group: str
    n_train: int


@dataclass(frozen=True, slots=True)
class RefitFinished:
    """It ended; as `FoldFinished`."""

    group: str
    status: Status
    error: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class GroupStarted:
    """A group of phases began."""

    group: str


@dataclass(frozen=True, slots=True)
class GroupFinished:
    """A group of phases ended."""

    group: str


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A phase began. `n_epochs` 0 where it counts steps only; `n_batches` is an epoch's; `monitored` the metrics
    its callbacks watch."""

    phase: str
    kind: PhaseKind
    split: str
    n_rows: int
    n_epochs: int
    n_batches: int
    n_steps: int
    monitored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EpochStarted:
    """An epoch began; the first is 0."""

    phase: str
    epoch: int


@dataclass(frozen=True, slots=True)
class BatchFinished:
    """One batch was worked off. Built only for sinks that ask for it."""

    phase: str
    epoch: int
    batch: int
    losses: FrozenMap


@dataclass(frozen=True, slots=True)
class BatchesRecorded:
    """The losses and learning rates of a block of batches, by name; typed arrays of equal length.

    `n_rows` holds the rows of each batch; `loss` is the weighted total.
    """

    phase: str
    epoch: int
    first_batch: int
    n_rows: array[int]
    columns: Mapping[str, array[float]]


@dataclass(frozen=True, slots=True)
class EvaluationFinished:
    """An evaluation during training gave its numbers; epoch -1 is before the first."""

    phase: str
    callback: str
    split: str
    epoch: int
    step: int
    metrics: FrozenMap


@dataclass(frozen=True, slots=True)
class EpochFinished:
    """An epoch ended, with every number known then: means over its rows, evaluations, the learning rate."""

    phase: str
    epoch: int
    step: int
    metrics: FrozenMap


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Something asked the phase to stop."""

    phase: str
    epoch: int
    step: int
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class WeightsRestored:
    """Weights were set back to those of an earlier epoch."""

    phase: str
    by: str
    epoch: int
    monitor: str
    value: float


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """A checkpoint was committed; `name` is its folder below checkpoints/. `is_best` by the monitored metric."""

    phase: str
    epoch: int
    step: int
    name: str
    is_best: bool


@dataclass(frozen=True, slots=True)
class NodeFitted:
    """An estimator was fitted in closed form."""

    phase: str
    node: str
    n_rows: int


@dataclass(frozen=True, slots=True)
class PhaseFinished:
    """A phase ended: `stopped` with by whom, or `completed`; `metrics` are its final numbers."""

    phase: str
    kind: PhaseKind
    status: Status
    by: str
    n_epochs: int
    n_steps: int
    metrics: FrozenMap


@dataclass(frozen=True, slots=True)
class WarningRaised:
    """Something a person should know that stops nothing."""

    phase: str
    message: str


@dataclass(frozen=True, slots=True)
class NonFiniteLossMet:
    """A loss of a batch was NaN or infinite, and training went on; `action` is what was done about it (S-51).

    `rows` has the ids of the batch by feature set, as far as they are known.
    """

    phase: str
    epoch: int
    batch: int
    loss: str
    value: float
    action: Literal["stop", "warn", "skip"]
    rows: FrozenMap


@dataclass(frozen=True, slots=True)
class NumbersLogged:
    """A callback reported numbers at another moment than the end of an epoch; -1 where it has no epoch or batch."""

    phase: str
    callback: str
    hook: str
    epoch: int
    batch: int
    step: int
    metrics: FrozenMap


@dataclass(frozen=True, slots=True)
class CallbackReturned:
    """A hook of a callback gave plain data back; -1 where it has no epoch or batch (S-33)."""

    phase: str
    callback: str
    hook: str
    epoch: int
    batch: int
    result: Any


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The one terminal event of a run. `error` says what happened where it did not complete; `where` in which phase."""

    status: Status
    error: str = ""
    where: str = ""


Event = (
    RunStarted
    | FoldStarted
    | FoldFinished
    | RefitStarted
    | RefitFinished
    | GroupStarted
    | GroupFinished
    | PhaseStarted
    | EpochStarted
    | BatchFinished
    | BatchesRecorded
    | EvaluationFinished
    | EpochFinished
    | StopRequested
    | WeightsRestored
    | CheckpointSaved
    | NodeFitted
    | PhaseFinished
    | WarningRaised
    | NonFiniteLossMet
    | NumbersLogged
    | CallbackReturned
    | RunFinished
)

EVENT_TYPES: Mapping[str, type[Event]] = {kind.__name__: kind for kind in Event.__args__}


def dump_event(event: Event) -> dict[str, Any]:
    """The plain JSON data of an event; numbers that are not finite stand as the words NaN, Infinity, -Infinity."""
    body = {field.name: _plain(getattr(event, field.name)) for field in fields(event)}
    return {"event": type(event).__name__} | body


def load_event(data: Mapping[str, Any]) -> Event:
    """The event that `dump_event` wrote, also that of an earlier version, which had fewer fields.

    `KeyError` for one of a kind nobody knows, `TypeError` for one that lacks what it needs.
    """
    kind = EVENT_TYPES[data["event"]]
    return kind(**{field.name: _typed(field.name, data[field.name]) for field in fields(kind) if field.name in data})


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field of an event
    if isinstance(value, float):
        return value if value - value == 0 else _WORDS[repr(value)]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, array) and isfinite(sum(value)):
        return value.tolist()
    if isinstance(value, (tuple, array)):
        return [_plain(item) for item in value]
    return value


def _typed(name: str, value: Any) -> Any:  # noqa: ANN401 - any field of an event
    if name == "n_rows" and isinstance(value, list):
        return array("q", value)
    if name == "columns":
        return {key: array("d", (_number(item) for item in items)) for key, items in value.items()}
    if name in ("metrics", "losses"):
        return FrozenMap({key: _number(item) for key, item in value.items()})
    if name == "value":
        return _number(value)
    if name == "rows":
        return FrozenMap(value)
    return freeze(value) if isinstance(value, (list, dict)) else value


def _number(value: float | str) -> float:
    return float(value)


_WORDS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
