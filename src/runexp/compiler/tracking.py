"""The pass over `tracking` and `register`: who is told of a run, and what becomes of its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runexp.compiler.findings import Findings
from runexp.compiler.guards import requirements
from runexp.plan.names import why_no_run_name
from runexp.plan.phases import BuiltInPlan, GroupPlan, PhasePlan, TrainPlan
from runexp.plan.tracking import MLflowPlan, RegisterPlan, TensorBoardPlan, TrackerPlan, TrackingPlan
from runexp.plan.values import FrozenMap
from runexp.spec.surroundings import MLflow, TensorBoard, Tracking

HISTOGRAMS = "tensorboard"
"""The callback that writes histograms for TensorBoard: its files lie in callbacks/<phase>/tensorboard/."""
_BINS = 30
_URIS = ("sqlite:///", "http://", "https://", "file:", "postgresql", "mysql", "mssql", "databricks")


def link_tracking(found: Findings) -> TrackingPlan | None:
    """The trackers of a spec, their names linked; None where nothing is tracked."""
    written = found.spec.tracking
    if written is None:
        return None
    others = [_other(found, name, written) for name in written.others]
    tracking = TrackingPlan(
        mlflow=_mlflow(found, written),
        tensorboard=_tensorboard(found, written),
        others=tuple(plan for plan in others if plan is not None),
        resources=written.resources,
        every_s=written.every_seconds,
        origin=found.origin(("tracking",)),
    )
    return tracking if tracking.has_trackers or tracking.resources else None


def link_register(found: Findings) -> RegisterPlan | None:
    """What is registered; names in it are checked with the other surroundings."""
    written = found.spec.register_as
    if written is None:
        return None
    _check_model_name(found, written.name)
    _check_folds(found)
    return RegisterPlan(
        name=written.name,
        nodes=written.nodes or (),
        alias=written.alias or "",
        origin=found.origin(("register",)),
        only_if=tuple(requirements(found, written.only_if, ("register", "only_if"))),
    )


def with_histograms(phases: Sequence[PhasePlan], tracking: TrackingPlan | None) -> tuple[PhasePlan, ...]:
    """The phases, train phases with a callback that writes the histograms that TensorBoard shows."""
    plan = tracking.tensorboard if tracking else None
    if plan is None or not plan.histograms_every_n_epochs:
        return tuple(phases)
    options = FrozenMap({"bins": _BINS, "every_n_epochs": plan.histograms_every_n_epochs})
    callback = BuiltInPlan(HISTOGRAMS, "histograms", options, (), plan.origin)
    return tuple(_watched(phase, callback) for phase in phases)


def _watched(phase: PhasePlan, callback: BuiltInPlan) -> PhasePlan:
    match phase:
        case GroupPlan():
            return replace(phase, phases=tuple(_watched(inner, callback) for inner in phase.phases))
        case TrainPlan():
            return replace(phase, callbacks=(*phase.callbacks, callback))
        case _:
            return phase


def _mlflow(found: Findings, written: Tracking) -> MLflowPlan | None:
    if not written.mlflow:
        return None
    options = written.mlflow if isinstance(written.mlflow, MLflow) else MLflow()
    if options.uri is not None and not options.uri.startswith(_URIS):
        found.error(
            "wrong-value",
            "the address of an MLflow server or database begins with `http://`, `https://` or `sqlite:///`",
            ("tracking", "mlflow", "uri"),
            help="left out, it is an SQLite database in the folder of runs",
        )
    experiment = options.experiment or found.spec.name
    return MLflowPlan(options.uri or "", experiment, options.per_batch, found.origin(("tracking", "mlflow")))


def _tensorboard(found: Findings, written: Tracking) -> TensorBoardPlan | None:
    if not written.tensorboard:
        return None
    options = written.tensorboard if isinstance(written.tensorboard, TensorBoard) else TensorBoard()
    origin = found.origin(("tracking", "tensorboard"))
    return TensorBoardPlan(options.per_batch, options.histograms_every_n_epochs, origin)


def _other(found: Findings, name: str, written: Tracking) -> TrackerPlan | None:
    item, path = written.others[name], ("tracking", "others", name)
    linked = found.call(item.use, item.arguments, path, kinds=("tracker",))
    return TrackerPlan(name, linked[0], item.per_batch, found.origin(path)) if linked else None


def _check_model_name(found: Findings, name: str) -> None:
    reason = why_no_run_name(name)
    if reason:
        found.error(
            "invalid-name",
            f"`{name}` cannot name a model: {reason}",
            ("register", "name"),
            help="models are addressed as `models:/NAME@ALIAS`, and kept in folders: letters, digits, `.`, `_`, `-`",
        )


def _check_folds(found: Findings) -> None:
    """A cross-validation ends with a model of each fold, none of which has seen all rows."""
    if found.spec.cv is not None:
        found.error(
            "exclusive-options",
            "`register` and `cv` exclude each other: a cross-validation trains a model for each fold",
            ("register",),
            part="key",
            help="cross-validate to choose, then train once without `cv` and register that",
        )
