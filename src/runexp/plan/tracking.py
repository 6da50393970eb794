"""Who else receives a run's numbers, and under which name its model goes into a registry."""

from __future__ import annotations

from runexp.plan.guards import RequirementPlan
from runexp.plan.values import Call, Origin
from runexp.records import dataclass


@dataclass(frozen=True, slots=True)
class MLflowPlan:
    """A server or database of MLflow; an empty `uri` is the database in the folder of runs."""

    uri: str
    experiment: str
    per_batch: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class TensorBoardPlan:
    """Event files in the run folder; `histograms_every_n_epochs` 0: none."""

    per_batch: bool
    histograms_every_n_epochs: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class TrackerPlan:
    """A tracker of the user's or of a plug-in."""

    name: str
    call: Call
    per_batch: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class TrackingPlan:
    """Every tracker; `resources`: whether CPU, memory, GPU and throughput are measured, every so many seconds."""

    mlflow: MLflowPlan | None
    tensorboard: TensorBoardPlan | None
    others: tuple[TrackerPlan, ...]
    resources: bool
    every_s: float
    origin: Origin

    @property
    def has_trackers(self) -> bool:
        """Whether anyone but the run folder receives numbers."""
        return bool(self.mlflow or self.tensorboard or self.others)


@dataclass(frozen=True, slots=True)
class RegisterPlan:
    """The model under a name; no `nodes`: those that are judged. `only_if`: what its numbers have to be."""

    name: str
    nodes: tuple[str, ...]
    alias: str
    origin: Origin
    only_if: tuple[RequirementPlan, ...] = ()
