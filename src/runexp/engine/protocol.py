"""What the engine asks of a runtime. The engine decides when; a runtime knows how."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from runexp.engine.experiment_hooks import ExperimentCallback
from runexp.engine.live import Live
from runexp.engine.view import Callback
from runexp.engine.view import Snapshot as Snapshot
from runexp.plan.guards import OnNan
from runexp.plan.phases import EvalPlan, FitPlan, Leaf, MadePlan, TrainPlan

Batches = Any
"""The batch of every binding of a step, in the runtime's own form; the engine only hands it on."""

LiveProgram = Any
"""The runtime's own train program, which the engine hands back to it."""

State = Mapping[str, Any]
"""The state of a phase in the runtime's own form, for a checkpoint."""


@dataclass(slots=True)
class ExecutionContext:
    """One step of a phase: where it stands and the batch of every binding. Indices start at 0."""

    phase: str
    epoch: int
    batch: int
    batches: Batches


@dataclass(frozen=True, slots=True)
class Told:
    """A pause in which what has happened so far is passed on."""


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """The batches of an epoch: rows of each, and each named number (losses, `loss`, `lr`) as a typed array.

    Where a loss does not count all rows of every batch, `counts` has by loss those it does, 0 where it had none, and
    `weights` what each contributes to the total. `numbers` are of the epoch as a whole.
    """

    n_rows: array[int]
    columns: Mapping[str, array[float]]
    counts: Mapping[str, array[int]] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)


class TrainProgram(Protocol):
    """A train phase made ready: draws batches, takes steps, keeps the record of the epoch."""

    n_rows: int
    n_batches: int
    n_steps_an_epoch: int

    def draw(self, epoch: int, start: int = 0) -> Iterator[Batches]:
        """The batches of an epoch from the `start`-th on, in an order known from seed, phase and epoch."""

    def step(self, context: ExecutionContext) -> None:
        """Forward, losses, backward, and the update when one is due."""

    def take_record(self) -> EpochRecord:
        """The record since the last call; costs a synchronisation on a GPU."""

    def latest(self) -> Mapping[str, float]:
        """The newest loss and learning rate, for a display; cheap, may be called from another thread."""

    def guard(self, on_nan: OnNan, meet: Callable[[str, float, int], None]) -> None:
        """Call `meet` with name, value and batch of a loss that is not finite, before the update if it is known by
        then; after `skip` the update is left out. What `meet` raises ends the step."""

    def rows(self, epoch: int, batch: int) -> Mapping[str, Sequence[Any]]:
        """The ids of the rows of a batch by feature set, as far as they are known."""

    def after_epoch(self, measured: Mapping[str, float]) -> None:
        """Take note of the numbers of an epoch; a schedule may follow them."""

    def state(self) -> State:
        """What a continuation of the phase needs beside weights: the optimizer's state, the schedule's, the record."""

    def load_state(self, state: State) -> None:
        """Go on from what `state` told."""

    def close(self) -> None:
        """Leave train mode and release what the phase held."""


class EvalProgram(Protocol):
    """An evaluation made ready: runs chunks without gradients, then gives the numbers over the whole split."""

    n_rows: int
    n_batches: int

    def draw(self) -> Iterator[Batches]:
        """The chunks of the split, in the order of its rows."""

    def step(self, context: ExecutionContext) -> None:
        """Forward of one chunk."""

    def finish(self) -> Mapping[str, float]:
        """Losses and metrics by name, without the plan's prefix; modes are afterwards what they were."""


class FitProgram(Protocol):
    """A fit phase made ready: one context with all rows."""

    n_rows: int

    def draw(self) -> Iterator[Batches]:
        """The one batch of all rows."""

    def step(self, context: ExecutionContext) -> None:
        """Fit every estimator in topological order."""


class Runtime(Protocol):
    """The live things an experiment drives: data, modules, estimators, optimizers, random numbers."""

    device: str

    def seed(self, label: str) -> None:
        """Seed every random number generator for the phase of that label; "" is what comes before the first."""

    def open_train(self, plan: TrainPlan) -> TrainProgram:
        """Make a train phase ready."""

    def open_eval(self, plan: EvalPlan) -> EvalProgram:
        """Make an evaluation ready."""

    def open_fit(self, plan: FitPlan) -> FitProgram:
        """Make a fit phase ready."""

    def open_callback(self, plan: MadePlan, program: LiveProgram) -> Callback:
        """The callback of a train phase, made ready; the engine makes its own."""

    def open_experiment_callback(self, plan: MadePlan) -> ExperimentCallback:
        """A callback around phases and groups, made ready."""

    def snapshot(self, nodes: tuple[str, ...] | None = None) -> Snapshot:
        """A copy of the state of `nodes`; None: of everything a phase may change, random numbers too."""

    def restore(self, snapshot: Snapshot) -> None:
        """Set back what a snapshot holds, bit for bit."""

    def hand_over(self, node: str, given: Any) -> None:  # noqa: ANN401 - a snapshot, or what a store gave
        """Give a node the weights it takes once a phase is over; None: those of now."""

    def explained(self, error: Exception, phase: Leaf, live: Live) -> Exception:
        """The error of a phase in words that help, where the runtime has some; else as it is."""

    def set_random_state(self, state: Any) -> None:  # noqa: ANN401 - the runtime's own form
        """Set every random number generator to where it stood when the state was saved."""


class ProgressStore(Protocol):
    """Where the state goes that a run goes on from after it was broken off."""

    def position(self) -> Any:  # noqa: ANN401 - the store's own form
        """How much has been told so far: a run that goes on from here tells what comes after."""

    def save(self, state: Mapping[str, Any], program: State | None, position: Any) -> str:  # noqa: ANN401 - as above
        """Commit the state of now; gives a warning where it is of a kind that cannot be saved, else nothing.

        `OSError` if it cannot be written.
        """

    def save_end(self, state: Mapping[str, Any], program: State, position: Any) -> str:  # noqa: ANN401 - as above
        """The same after the last epoch of a phase: kept when the run is over, so that the phase can be extended."""


class CheckpointStore(Protocol):
    """Where checkpoints go."""

    def save(self, phase: str, name: str, state: Mapping[str, Any], program: State) -> str:
        """Commit one checkpoint; returns its name below the store's folder. `OSError` if it cannot be written."""

    def remove(self, name: str) -> None:
        """Delete one checkpoint's files."""

    def point(self, phase: str, pointers: Mapping[str, str]) -> None:
        """Remember which checkpoint of a phase is `last` and which is `best`."""


class RunCheckpointStore(CheckpointStore, Protocol):
    """Where checkpoints go, those of the whole experiment too."""

    def find(self, phase: str, name: str) -> Any:  # noqa: ANN401 - in the store's own form
        """The checkpoint of a phase that is `last` or `best`, or is called so; `KeyError` where there is none."""

    def save_run(self, name: str, state: Mapping[str, Any]) -> str:
        """Commit one between phases; returns its name. `OSError` if it cannot be written."""
