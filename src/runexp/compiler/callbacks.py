"""The callback pass: evaluations and early stopping, linked to what they measure and watch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runexp.compiler.findings import Path
from runexp.compiler.losses import link_losses
from runexp.compiler.metrics import link_metrics
from runexp.compiler.scope import Scope
from runexp.diagnostics import did_you_mean
from runexp.plan.graph import LossPlan
from runexp.plan.phases import (
    CallbackPlan,
    EarlyStoppingPlan,
    EvalPlan,
    EvaluationPlan,
    Mode,
)
from runexp.spec.callbacks import Callback, EarlyStopping, Evaluation


@dataclass(frozen=True, slots=True)
class Watched:
    """What callbacks of one phase can refer to: its label, losses, and the numbers that training reports."""

    label: str
    losses: tuple[LossPlan, ...]
    produced: tuple[str, ...]


def link_callbacks(
    scope: Scope, items: Sequence[str | Callback], watched: Watched, path: Path
) -> tuple[CallbackPlan, ...]:
    """The callbacks of a phase, in the order written; a monitor may be produced by any of them."""
    written = [resolved for index, item in enumerate(items) if (resolved := _written(scope, item, (*path, index)))]
    evaluations = {
        place: plan
        for name, callback, place in written
        if isinstance(callback, Evaluation) and (plan := _evaluation(scope, name, callback, watched, place))
    }
    modes = _modes(watched, evaluations.values())
    linked: list[CallbackPlan] = []
    for name, callback, place in written:
        if isinstance(callback, EarlyStopping):
            linked.append(_early_stopping(scope, name, callback, modes, place))
        elif place in evaluations:
            linked.append(evaluations[place])
    return tuple(linked)


def monitored(scope: Scope, monitor: str, mode: Mode | None, modes: Mapping[str, Mode | None], path: Path) -> Mode:
    """Whether less or more of a monitored number is better; reports one that nothing produces."""
    if monitor not in modes and not _is_silenced(scope, path):
        scope.found.error(
            "unknown-monitor",
            f"nothing in this phase produces the metric `{monitor}`",
            path,
            label="never measured",
            help=did_you_mean(monitor, modes, kind="measured here"),
        )
    return mode or modes.get(monitor) or "min"


def modes_of(watched: Watched, callbacks: Sequence[CallbackPlan]) -> dict[str, Mode | None]:
    """Every number a phase reports, with the direction in which it improves."""
    return _modes(watched, [callback for callback in callbacks if isinstance(callback, EvaluationPlan)])


def _written(scope: Scope, item: str | Callback, path: Path) -> tuple[str, Callback, Path] | None:
    if not isinstance(item, str):
        return item.use, item, path
    names = scope.found.names("callbacks")
    if item not in names:
        scope.found.unknown("callback", item, path, names)
        return None
    callback = scope.found.spec.callbacks.get(item)
    return (item, callback, ("callbacks", item)) if callback else None


def _evaluation(scope: Scope, name: str, callback: Evaluation, watched: Watched, path: Path) -> EvaluationPlan | None:
    losses = watched.losses
    if callback.losses is not None:
        losses = link_losses(scope, callback.losses, (*path, "losses"))
    metrics = link_metrics(scope, callback.metrics, losses or watched.losses, (*path, "metrics"))
    judged = tuple(dict.fromkeys([*(loss.node for loss in losses), *(metric.node for metric in metrics)]))
    nodes = scope.needed(judged)
    data = scope.feeding(judged)
    scope.check_split(callback.split, data, (*path, "split"))
    prefix = callback.prefix or (callback.split if callback.split != "train" else "train_eval")
    origin = scope.found.origin(path)
    label = f"{watched.label}/{name}"
    evaluation = EvalPlan(
        label, callback.split, data, nodes, losses, metrics, callback.batch_size, f"{prefix}_", origin
    )
    return EvaluationPlan(name, evaluation, callback.every_n_epochs, callback.at_start, origin)


def _early_stopping(
    scope: Scope, name: str, callback: EarlyStopping, modes: Mapping[str, Mode | None], path: Path
) -> EarlyStoppingPlan:
    mode = monitored(scope, callback.monitor, callback.mode, modes, (*path, "monitor"))
    return EarlyStoppingPlan(
        name,
        callback.monitor,
        mode,
        callback.patience,
        callback.min_delta,
        callback.restore_best,
        scope.found.origin(path),
    )


def _modes(watched: Watched, evaluations: Iterable[EvaluationPlan]) -> dict[str, Mode | None]:
    modes: dict[str, Mode | None] = dict.fromkeys(watched.produced, "min")
    for callback in evaluations:
        plan = callback.evaluation
        modes.update(dict.fromkeys(plan.produces, "min"))
        for metric in plan.metrics:
            better = metric.higher_is_better
            modes[f"{plan.prefix}{metric.name}"] = None if better is None else "max" if better else "min"
    return modes


def _is_silenced(scope: Scope, path: Path) -> bool:
    """A broken evaluation may have been what produces it."""
    return any(scope.found.is_damaged((section,)) for section in ("callbacks", "losses", "metrics"))
