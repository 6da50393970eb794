"""Who is told of a run, and what becomes of its model, as branches of a plan's outline."""

from __future__ import annotations

from collections.abc import Iterator

from runexp.plan.experiment import Plan
from runexp.plan.tracking import RegisterPlan, TrackingPlan
from runexp.report.outline import Branch, called, listed


def outline_tracking(plan: Plan) -> tuple[Branch, ...]:
    """A branch for `tracking` and one for `register`, where they are written."""
    tracking = (Branch("tracking", below=tuple(_trackers(plan.tracking))),) if plan.tracking else ()
    return (*tracking, *((_model(plan.register),) if plan.register else ()))


def _trackers(tracking: TrackingPlan) -> Iterator[Branch]:
    if tracking.mlflow:
        # The address of a server may hold a password.
        where = "a server" if tracking.mlflow.uri else "the database in the folder of runs"
        experiment = f"experiment {tracking.mlflow.experiment} in {where}"
        yield Branch("mlflow", _parts(experiment, _batches(is_asked=tracking.mlflow.per_batch)))
    if tracking.tensorboard:
        every = tracking.tensorboard.histograms_every_n_epochs
        histograms = f"histograms every {every} epochs" if every else ""
        yield Branch("tensorboard", _parts(_batches(is_asked=tracking.tensorboard.per_batch), histograms))
    for other in tracking.others:
        yield Branch(other.name, _parts(called(other.call), _batches(is_asked=other.per_batch)))
    if tracking.resources:
        yield Branch("resources", f"every {tracking.every_s:g} s")


def _batches(*, is_asked: bool) -> str:
    return "epochs and batches" if is_asked else "epochs"


def _parts(*parts: str) -> str:
    """The parts that say something, side by side."""
    return " · ".join(part for part in parts if part)


def _model(plan: RegisterPlan) -> Branch:
    alias = f"as {plan.alias}" if plan.alias else ""
    nodes = listed(plan.nodes) if plan.nodes else "the nodes that are judged"
    only_if = listed(map(str, plan.only_if))
    return Branch("register", _parts(plan.name, alias, nodes, f"only if {only_if}" if only_if else ""))
