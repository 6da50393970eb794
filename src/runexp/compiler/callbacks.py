"""The callback pass: evaluations and early stopping, linked to what they measure and watch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from runexp import catalog
from runexp.compiler.findings import Path
from runexp.compiler.judged_lanes import Judged, link_judged
from runexp.compiler.losses import called, inline_name, link_losses
from runexp.compiler.made_callbacks import (
    PHASE_HOOKS,
    Moving,
    check_averages,
    check_held,
    link_built_in,
    link_own,
    produced,
)
from runexp.compiler.metrics import link_metrics
from runexp.compiler.routes import data_of
from runexp.compiler.scope import Scope
from runexp.diagnostics import Severity, did_you_mean, nearest
from runexp.plan.graph import LossPlan
from runexp.plan.lanes import LanePlan
from runexp.plan.phases import (
    CallbackPlan,
    EarlyStoppingPlan,
    EvalPlan,
    EvaluationPlan,
    Mode,
)
from runexp.records import dataclass
from runexp.spec.base import Use
from runexp.spec.built_in_callbacks import BuiltIn, Curves, LossNotDecreasing, SaveBest
from runexp.spec.callbacks import Callback, Custom, EarlyStopping, Evaluation
from runexp.spec.losses import Loss


@dataclass(frozen=True, slots=True)
class Watched:
    """What callbacks of one phase can refer to: its label, losses as linked and as written, epochs, and lanes."""

    label: str
    losses: tuple[LossPlan, ...]
    written: tuple[str | Loss, ...]
    n_epochs: int | None
    lanes: tuple[LanePlan, ...] = ()
    trains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers a phase reports and the direction in which each improves.

    `lost` are names that broken definitions would have reported; `is_whole` tells whether those are all known, and
    `is_open` whether code of the user's may report others. `by_steps` are measured amid epochs, and not at their ends.
    """

    modes: Mapping[str, Mode | None]
    lost: frozenset[str]
    is_whole: bool
    is_open: bool = False
    by_steps: frozenset[str] = frozenset()


def link_callbacks(
    scope: Scope, items: Sequence[str | Callback], watched: Watched, path: Path
) -> tuple[tuple[CallbackPlan, ...], Numbers]:
    """The callbacks of a phase, in the order written, and all that can be monitored in it."""
    written = {index: found for index, item in enumerate(items) if (found := _written(scope, item, (*path, index)))}
    evaluations: dict[int, EvaluationPlan] = {}
    names = [loss.name for loss in watched.losses]
    lost = {f"train_{name}" for name in _meant(scope, watched.written, "losses", names)}
    for index, (name, callback, place) in written.items():
        if isinstance(callback, Evaluation):
            evaluations[index] = _evaluation(scope, name, callback, watched, place)
            lost |= _promised(scope, callback, watched, evaluations[index].evaluation)
    places = [path, *(place for _, _, place in written.values())]
    is_whole = len(written) == len(items) and not any(scope.found.is_damaged(place) for place in places)
    modes = _modes(scope, watched, evaluations, path)
    for _, callback, _ in written.values():
        modes |= produced(callback, watched.trains) if isinstance(callback, (BuiltIn, Custom)) else {}
    is_open = any(isinstance(callback, Custom) for _, callback, _ in written.values())
    amid = [plan.evaluation.produces for plan in evaluations.values() if plan.every_n_steps]
    numbers = Numbers(modes, frozenset(lost), is_whole, is_open, frozenset(name for names in amid for name in names))
    check_averages(scope, written)
    linked: list[CallbackPlan] = []
    for index, (name, callback, place) in written.items():
        if index in evaluations:
            linked.append(evaluations[index])
            continue
        plan = _linked(scope, (name, callback, place), watched, numbers)
        if plan is not None:  # the others are reported as wrong, or not yet supported
            linked.append(plan)
        if isinstance(callback, EarlyStopping):
            _check_patience(scope, watched, callback, tuple(evaluations.values()), place)
    return tuple(linked), numbers


def _linked(
    scope: Scope, written: tuple[str, Callback, Path], watched: Watched, numbers: Numbers
) -> CallbackPlan | None:
    name, callback, place = written
    match callback:
        case EarlyStopping():
            return _early_stopping(scope, name, callback, numbers, place)
        case Custom():
            return link_own(scope, name, callback, PHASE_HOOKS, place)
        case LossNotDecreasing() | SaveBest():
            mode = monitored(scope, callback.monitor, callback.mode, numbers, (*place, "monitor"))
            return link_built_in(scope, name, callback.model_copy(update={"mode": mode}), (), place)
        case Curves():
            for index, metric in enumerate(callback.metrics or ()):
                _check_number(scope, metric, numbers, (*place, "metrics", index))
            return link_built_in(scope, name, callback, (), place)
        case Evaluation():
            return None
        case _:
            check_held(scope, callback, Moving(watched.label, watched.trains, watched.n_epochs), place)
            return link_built_in(scope, name, callback, tuple(produced(callback, watched.trains)), place)


def monitored(scope: Scope, monitor: str, mode: Mode | None, numbers: Numbers, path: Path) -> Mode:
    """Whether less or more of a number that is looked at when epochs end is better; reports one that is not there."""
    if monitor in numbers.by_steps:
        scope.found.error(
            "unknown-monitor",
            f"`{monitor}` is measured by steps, and not at the end of epochs, when it is looked at here",
            path,
            label="not measured then",
            help="`early_stopping` looks at it whenever it is measured; here, evaluate by epochs",
        )
    return _direction(scope, monitor, mode, numbers, path)


def _direction(scope: Scope, monitor: str, mode: Mode | None, numbers: Numbers, path: Path) -> Mode:
    """Whether less or more of a monitored number is better; reports one that nothing produces."""
    _check_number(scope, monitor, numbers, path)
    if mode is None and numbers.modes.get(monitor, None if numbers.is_open else "min") is None:
        scope.found.error(
            "missing-key",
            f"whether more or less of `{monitor}` is better is not known",
            path,
            label="in which direction?",
            help="say `mode: max` or `mode: min` beside it",
        )
    return mode or numbers.modes.get(monitor) or "min"


def _check_number(scope: Scope, metric: str, numbers: Numbers, path: Path) -> None:
    """Report a number that nothing in the phase measures."""
    is_known = metric in numbers.modes or metric in numbers.lost
    is_rate = "lr_0" in numbers.modes and re.fullmatch(r"lr_\d+", metric)  # as many as the optimizer has groups
    if is_known or is_rate or numbers.is_open or not numbers.is_whole:
        return
    meant = nearest(metric, [*numbers.modes, *sorted(numbers.lost)])
    scope.found.error(
        "unknown-monitor",
        f"nothing in this phase produces the metric `{metric}`",
        path,
        label="never measured",
        help=did_you_mean(metric, dict.fromkeys([*numbers.modes, *([meant] if meant else [])]), kind="measured here"),
    )


def _written(scope: Scope, item: str | Callback, path: Path) -> tuple[str, Callback, Path] | None:
    """The name, definition and place of a callback, written out or named."""
    callback, place = item if not isinstance(item, str) else None, path
    if isinstance(item, str):
        names = scope.found.names("callbacks")
        if item not in names:
            scope.found.unknown("callback", item, path, names)
        callback, place = scope.found.spec.callbacks.get(item), ("callbacks", item)
    if callback is None:
        return None
    return (item if isinstance(item, str) else callback.use), callback, place


def _evaluation(scope: Scope, name: str, callback: Evaluation, watched: Watched, path: Path) -> EvaluationPlan:
    losses = watched.losses
    if callback.losses is not None:
        losses = link_losses(scope, callback.losses, (*path, "losses"))
    metrics = link_metrics(scope, callback.metrics, losses or watched.losses, (*path, "metrics"))
    judged = tuple(dict.fromkeys([*(loss.node for loss in losses), *(metric.node for metric in metrics)]))
    nodes = scope.needed(judged)
    data = data_of(scope, judged, (*losses, *metrics))
    scope.check_split(callback.split, data, (*path, "split"))
    items = Judged(nodes, (*losses, *metrics), data, callback.split, callback.batch_size)
    lanes = link_judged(scope, items, callback.sampler, watched.lanes, path)
    data = lanes[0].data if lanes else data
    origin = scope.found.origin(path)
    _check_rhythm(scope, callback, path)
    label = f"{watched.label}/{name}"
    evaluation = EvalPlan(
        label, callback.split, data, nodes, losses, metrics, callback.batch_size, _prefix(callback), origin, lanes
    )
    n_steps = callback.every_n_steps or 0
    return EvaluationPlan(
        name, evaluation, callback.every_n_epochs, callback.at_start, origin, n_steps, callback.at_end
    )


def _check_rhythm(scope: Scope, callback: Evaluation, path: Path) -> None:
    if callback.every_n_steps and "every_n_epochs" in callback.model_fields_set:
        scope.found.error(
            "exclusive-options",
            "an evaluation is made by epochs or by steps",
            (*path, "every_n_steps"),
            help="two evaluations, with a `prefix:` each, do both",
        )


def _prefix(callback: Evaluation) -> str:
    return f"{callback.prefix or (callback.split if callback.split != 'train' else 'train_eval')}_"


def _promised(scope: Scope, callback: Evaluation, watched: Watched, linked: EvalPlan) -> set[str]:
    """The names an evaluation would report if what is wrong with it were mended."""
    items = watched.written if callback.losses is None else callback.losses
    losses = _meant(scope, items, "losses", [loss.name for loss in linked.losses])
    metrics = _meant(scope, callback.metrics, "metrics", [metric.name for metric in linked.metrics])
    names = [*(["loss"] if items else []), *losses, *metrics]
    close = nearest(callback.split, scope.splits()) if callback.prefix is None else None
    prefixes = [linked.prefix, *([f"{close}_"] if close and close != callback.split else [])]
    if len(prefixes) > 1:
        names += [name.removeprefix(linked.prefix) for name in linked.produces]
    return {f"{prefix}{name}" for prefix in prefixes for name in names}


def _meant(scope: Scope, items: Iterable[str | Use], section: str, linked: Sequence[str]) -> tuple[str, ...]:
    """The names of items that could not be linked: as written, and as they were likely meant."""
    names: list[str] = []
    for item in items:
        written = called(scope, item) if section == "losses" else _name_of(item)
        if written in linked or inline_name(written) in linked:
            continue
        close = nearest(written, scope.found.names(section))
        names += [written, *([close] if close else [])]
        names += [inline_name(name) for name in (catalog.suggest(written, "metric") if section == "metrics" else ())]
    return tuple(names)


def _name_of(item: str | Use) -> str:
    return item if isinstance(item, str) else inline_name(item.use)


def _early_stopping(
    scope: Scope, name: str, callback: EarlyStopping, numbers: Numbers, path: Path
) -> EarlyStoppingPlan:
    mode = _direction(scope, callback.monitor, callback.mode, numbers, (*path, "monitor"))
    return EarlyStoppingPlan(
        name,
        callback.monitor,
        mode,
        callback.patience,
        callback.min_delta,
        callback.restore_best,
        scope.found.origin(path),
    )


def _check_patience(
    scope: Scope, watched: Watched, callback: EarlyStopping, evaluations: tuple[EvaluationPlan, ...], path: Path
) -> None:
    """Warn of a patience that outlasts the phase; a phase by steps is not judged."""
    if watched.n_epochs is None:
        return
    n_measured = watched.n_epochs
    for each in evaluations:
        if callback.monitor in each.evaluation.produces:
            if each.every_n_steps:
                return
            n_measured = watched.n_epochs // each.every_n_epochs + each.at_start
    if callback.patience >= n_measured:
        times = f"{n_measured} time{'' if n_measured == 1 else 's'}"
        scope.found.error(
            "idle-callback",
            f"a patience of {callback.patience} can never stop `{watched.label}`,"
            f" which measures `{callback.monitor}` {times}",
            (*path, "patience"),
            help="patience counts evaluations: let it be smaller, or train for more epochs",
            severity=Severity.WARNING,
        )


def _modes(
    scope: Scope, watched: Watched, evaluations: Mapping[int, EvaluationPlan], path: Path
) -> dict[str, Mode | None]:
    """What the phase and its evaluations report; says so where two of them use one name."""
    total = ("train_loss",) if watched.losses or watched.written else ()
    modes: dict[str, Mode | None] = dict.fromkeys((*total, *(f"train_{loss.name}" for loss in watched.losses)), "min")
    for index, callback in evaluations.items():
        plan = callback.evaluation
        clash = next((name for name in plan.produces if name in modes), None)
        if clash is not None:
            scope.found.error(
                "label-clash",
                f"two evaluations of this phase would both report `{clash}`",
                (*path, index),
                help="give one of them a `prefix:` of its own",
            )
        modes.update(dict.fromkeys(plan.produces, "min"))
        for metric in plan.metrics:
            better = metric.higher_is_better
            modes[f"{plan.prefix}{metric.name}"] = None if better is None else "max" if better else "min"
    return modes
