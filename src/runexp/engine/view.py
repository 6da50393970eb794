"""What a callback may see and do: a narrow view of the running phase, never the experiment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from runexp.plan.phases import EvalPlan

Snapshot = Any
"""A state of the runtime, kept in memory; the engine only hands it back."""

Hook = Literal[
    "on_phase_start", "on_epoch_start", "on_batch_start", "on_batch_end", "on_epoch_end", "on_phase_end",
    "on_exception", "on_evaluation_start", "on_evaluation_end", "on_measured",
]  # fmt: skip
"""The moments of a phase, in the order they come; then that of a failure, those around an evaluation, and that after
the hooks of a batch that evaluated."""


class View(Protocol):
    """The running phase as a callback sees it."""

    phase: str
    epoch: int
    batch: int
    step: int
    is_cut: bool
    """Whether an interrupt ends the phase here: a run that goes on will come to its end once more."""

    @property
    def update(self) -> int:
        """How often the weights were updated so far; amid an epoch -1 after a batch that only gathered gradients."""

    @property
    def measured(self) -> Mapping[str, float]:
        """The numbers measured at this epoch so far: means of training, evaluations, what callbacks logged."""

    def log(self, metrics: Mapping[str, float]) -> None:
        """Report numbers under their names."""

    @property
    def error(self) -> Exception | None:
        """What the phase failed of, at `on_exception`."""

    @property
    def evaluations(self) -> Mapping[str, EvalPlan]:
        """The evaluations of this phase, by the name of their callback."""

    def evaluate(self, plan: EvalPlan, callback: str) -> Mapping[str, float]:
        """Run an evaluation and log its numbers, which it returns; changes nothing else."""

    def report(self, result: object) -> None:
        """Keep plain data that a hook gave back."""

    def warn(self, message: str) -> None:
        """Tell a person something that stops nothing."""

    def request_stop(self, by: str, reason: str, *, at: Literal["batch", "epoch"] = "epoch") -> None:
        """End the phase after this batch or this epoch."""

    def snapshot(self) -> Snapshot:
        """A copy of the weights and buffers that train."""

    def restore(self, snapshot: Snapshot, source: Restored) -> None:
        """Set weights and buffers back."""

    @property
    def held(self) -> tuple[str, ...]:
        """The checkpoints in memory that can be gone back to."""

    def roll_back(self, by: str, name: str) -> None:
        """Set weights and buffers back to a checkpoint in memory; `KeyError` where there is none of that name."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore says of itself: who asked, and the epoch, value and numbers the weights are from."""

    by: str
    epoch: int
    monitor: str
    value: float
    measured: Mapping[str, float]


class Callback(Protocol):
    """Something that steers a phase. `measures` callbacks run first at a hook, so that others see their numbers."""

    name: str
    measures: bool

    def hooks(self) -> Mapping[Hook, Callable[[View], object]]:
        """The hooks it wants; the others cost nothing."""


@runtime_checkable
class Stateful(Protocol):
    """A callback that remembers something from one hook to the next: a run that goes on gives it back."""

    def state(self) -> Mapping[str, Any]:
        """Numbers, texts, lists, mappings, tensors and snapshots, under names."""

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""


def states_of(callbacks: Sequence[object]) -> list[Mapping[str, Any]]:
    """What each callback needs in order to go on."""
    return [callback.state() if isinstance(callback, Stateful) else {} for callback in callbacks]


def load_states(callbacks: Sequence[object], states: Sequence[Mapping[str, Any]]) -> None:
    """Give each callback back what `states_of` took."""
    for callback, state in zip(callbacks, states, strict=True):
        if isinstance(callback, Stateful):
            callback.load_state(state)
