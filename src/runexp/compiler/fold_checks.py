"""What can be wrong with a cross-validation as written, and what would make the score of a fold too good."""

from __future__ import annotations

from collections.abc import Sequence

from runexp.compiler.addresses import path_of_address
from runexp.compiler.execution_checks import check_execution
from runexp.compiler.findings import Path
from runexp.compiler.fold_names import folded, pool_of
from runexp.compiler.scope import Scope
from runexp.diagnostics import Severity
from runexp.plan.experiment import walk
from runexp.plan.phases import EarlyStoppingPlan, EvalPlan, FitPlan, GroupPlan, PhasePlan, TrainPlan
from runexp.plan.refit import watching_held_out
from runexp.plan.values import Call
from runexp.spec.strategies import CrossValidation, CVData

_PATH: Path = ("cv",)


def check_folds(scope: Scope, cv: CrossValidation, phases: tuple[PhasePlan, ...]) -> None:
    """Report what does not go together in the section, and what its phases lack."""
    _check_counts(scope, cv)
    _check_held(scope, cv)
    _check_phases(scope, cv, phases)
    _check_parts(scope, cv)
    if cv.refit:
        _check_refit(scope, cv, phases)


def check_needs(scope: Scope, cv: CrossValidation, call: Call) -> None:
    """A splitter by groups needs groups, a stratified one classes; others would not look at them."""
    label = call.target.rpartition(":")[2]
    if not call.target.startswith("sklearn."):
        return  # only its author knows what it looks at
    takes = {"group_by": "Group" in label, "stratify_by": "Stratified" in label}
    for key, is_taken in takes.items():
        written = [name for name, data in cv.data.items() if getattr(data, key) is not None and not data.column]
        if is_taken and not written:
            message = f"`{label}` needs `{key}`, which no feature set of `cv.data` has"
            hint = f"for instance `cv: {{data: {{{next(iter(scope.found.names('data')), 'table')}: {{{key}: …}}}}}}`"
            scope.found.error("missing-key", message, ("cv", "folds"), help=hint)
        for name in () if is_taken else written:
            message = f"`{label}` does not look at `{key}`"
            scope.found.error("exclusive-keys", message, ("cv", "data", name, key), part="key")


def check_folded_set(scope: Scope, cv: CrossValidation, name: str, data: CVData) -> None:
    """Report what one feature set of a cross-validation asks for in vain."""
    path: Path = ("cv", "data", name)
    names = scope.found.names("data")
    if name not in names:
        scope.found.unknown("feature set", name, path, names, part="key")
        return
    _check_pool(scope, name, data, path)
    if data.column is not None:
        _check_column(scope, cv, data, path)
    if data.order_by is not None and cv.shuffle and isinstance(cv.folds, int):
        message = "`order_by` and shuffled rows exclude each other"
        hint = "`shuffle: false`, or a splitter of time series: `folds: {use: time_series, with: {n_splits: 5}}`"
        scope.found.error("exclusive-keys", message, (*path, "order_by"), part="key", help=hint)
    if data.val_size is not None and not 0 < data.val_size < 1:
        message = f"`val_size` must be above 0 and below 1, not `{data.val_size:g}`"
        scope.found.error("wrong-value", message, (*path, "val_size"))
    elif data.val_size is not None and data.val_size != cv.val_size:
        message = f"feature sets are divided together, and `val_size` is {cv.val_size:g} in one of them"
        scope.found.error("wrong-value", message, (*path, "val_size"))


def _check_pool(scope: Scope, name: str, data: CVData, path: Path) -> None:
    written = scope.found.spec.data.get(name)
    if written is None or scope.found.is_damaged(("data", name, "splits")):
        return
    known = written.splits.names if written.splits else ("all",)
    for index, split in enumerate(data.pool or ()):
        if known is not None and split not in known:
            scope.found.unknown("split", split, (*path, "pool", index), known)


def _check_column(scope: Scope, cv: CrossValidation, data: CVData, path: Path) -> None:
    for key in ("stratify_by", "group_by", "order_by"):
        if getattr(data, key) is not None:
            message = f"`column` and `{key}` exclude each other"
            scope.found.error("exclusive-keys", message, (*path, key), part="key")
    if not isinstance(cv.folds, int) or cv.repeats > 1:
        key = "repeats" if isinstance(cv.folds, int) else "a splitter"
        message = f"`column` gives the folds, and excludes {key}"
        scope.found.error("exclusive-keys", message, (*path, "column"), part="key")


def _check_counts(scope: Scope, cv: CrossValidation) -> None:
    if cv.repeats > 1 and not cv.shuffle:
        message = "`repeats` without `shuffle` would make the same folds again"
        scope.found.error("exclusive-keys", message, ("cv", "repeats"), part="key")
    check_execution(scope, cv)


def _check_held(scope: Scope, cv: CrossValidation) -> None:
    for name in folded(scope.found.spec):
        if name in scope.data and scope.data[name].stream is not None:
            message = f"folds divide rows at will, and `{name}` is streamed"
            place = ("cv", "data", name) if name in cv.data else _PATH
            scope.found.error(
                "exclusive-keys", message, place, part="key", help=f"`data: {{{name}: {{stream: false}}}}`"
            )


def _check_parts(scope: Scope, cv: CrossValidation) -> None:
    """No two parts of a fold have one name, and none the name of a split that stays as it is."""
    twice = [name for name in cv.parts if cv.parts.count(name) > 1]
    if twice:
        scope.found.error("name-clash", f"two parts of a fold are called `{twice[0]}`", _PATH, part="key")
        return
    for name in folded(scope.found.spec):
        data = scope.found.spec.data.get(name)
        if data is not None and data.splits is not None and not scope.found.is_damaged(("data", name, "splits")):
            _check_outside(scope, cv, name, data.splits.names or ())


def _check_outside(scope: Scope, cv: CrossValidation, name: str, splits: tuple[str, ...]) -> None:
    pooled = pool_of(scope.found.spec, name)
    if splits and not pooled:
        hint = f"say which: `cv: {{data: {{{name}: {{pool: [{', '.join(splits)}]}}}}}}`"
        scope.found.error("missing-key", f"no split of `{name}` is pooled", _PATH, part="key", help=hint)
        return
    is_misspelt = not set(pooled) <= set(splits)
    for split in () if is_misspelt else splits:
        if split in cv.parts and split not in pooled:
            scope.found.error(
                "name-clash",
                f"the split `{split}` of `{name}` is not pooled, and a part of each fold is called `{split}` too",
                ("cv", "data", name) if name in cv.data else _PATH,
                part="key",
                help=f"pool it, or call the part otherwise: `cv: {{{_key(cv, split)}: fold_{split}}}`",
            )


def _key(cv: CrossValidation, part: str) -> str:
    return "held_out" if part == cv.held_out_name else "train" if part == cv.train else "val"


def _check_phases(scope: Scope, cv: CrossValidation, phases: tuple[PhasePlan, ...]) -> None:
    names = scope.found.names("phases")
    for index, label in enumerate(cv.phases or ()):
        if label not in names:
            scope.found.unknown("phase", label, ("cv", "phases", index), names)
    if cv.phases is None:
        return
    fitted: set[str] = set()
    for phase in walk(tuple(phase for phase in phases if phase.label in cv.phases)):
        if isinstance(phase, GroupPlan):
            continue
        fitted |= set(phase.nodes) if isinstance(phase, FitPlan) else set()
        needed = phase.runs if isinstance(phase, FitPlan) else phase.nodes
        early = [name for name in needed if scope.nodes[name].is_estimator and name not in fitted]
        if early:
            message = f"the phase `{phase.label}` needs the node `{early[0]}`, which no phase of the folds fits"
            scope.found.error("unfitted-node", message, ("cv", "phases"), help="list the phase that fits it")
            return


def _check_refit(scope: Scope, cv: CrossValidation, phases: tuple[PhasePlan, ...]) -> None:
    """A refit holds nothing out: nothing of it can learn from the held-out part, or be steered by it."""
    held, place = cv.held_out_name, ("cv", "refit")
    for phase in walk(tuple(phase for phase in phases if cv.phases is None or phase.label in cv.phases)):
        if isinstance(phase, (GroupPlan, EvalPlan)):
            continue
        lanes = phase.lanes if isinstance(phase, TrainPlan) else ()
        if held in (phase.split, *(lane.split for lane in lanes)):
            message = f"a refit holds nothing out, and the phase `{phase.label}` learns from `{held}`"
            scope.found.error("unknown-split", message, place, part="key")
        for name, address, monitor in watching_held_out(phase, held) if isinstance(phase, TrainPlan) else ():
            data = next(iter(folded(scope.found.spec)), "table")
            scope.found.error(
                "unknown-monitor",
                f"a refit holds nothing out, and `{name}` of `{phase.label}` follows `{monitor}`, measured on `{held}`",
                path_of_address(address),
                part="key",
                label="never measured in the refit",
                help=f"set rows aside for it, in the refit too: `cv: {{data: {{{data}: {{val_size: 0.15}}}}}}`",
            )


def check_stopping(scope: Scope, phases: Sequence[PhasePlan]) -> None:
    """A fold that is stopped by its score on the held-out part has chosen its weights by it: the score is too good."""
    cv = scope.found.spec.cv
    training = (part for part in walk(tuple(phases)) if isinstance(part, TrainPlan))
    for phase in training if cv is not None else ():
        judged = {name for plan in phase.evaluations if cv and plan.split == cv.held_out_name for name in plan.produces}
        for callback in phase.callbacks:
            if isinstance(callback, EarlyStoppingPlan) and callback.monitor in judged:
                name = next(iter(folded(scope.found.spec)), "table")
                scope.found.error(
                    "stopped-by-score",
                    f"`{callback.name}` stops the fold by `{callback.monitor}`, which is measured on its held-out rows",
                    path_of_address(callback.origin.path),
                    part="key",
                    label="the fold's score becomes too good",
                    help=f"set rows of each fold aside for it: `cv: {{data: {{{name}: {{val_size: 0.15}}}}}}`",
                    severity=Severity.WARNING,
                )
