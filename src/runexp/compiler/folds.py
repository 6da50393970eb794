"""The pass over cross-validation: what is pooled, and who divides it."""

from __future__ import annotations

from runexp.compiler.findings import Path
from runexp.compiler.fold_checks import check_folded_set, check_folds, check_needs
from runexp.compiler.fold_names import folded, pool_of
from runexp.compiler.fold_stacking import check_stacked_folds
from runexp.compiler.scope import Scope
from runexp.plan.folds import CVPlan, Execution, FoldedSet
from runexp.plan.phases import PhasePlan
from runexp.plan.values import Call
from runexp.spec.strategies import CrossValidation, CVData

_PATH: Path = ("cv",)
_EXECUTIONS: dict[str, Execution] = {
    "processes": "processes",
    "vectorized": "vectorized",
    "dask": "dask",
    "ray": "ray",
}


def link_folds(scope: Scope, phases: tuple[PhasePlan, ...]) -> CVPlan | None:
    """The plan of the `cv` section; None where there is none, or where it cannot be linked."""
    cv = scope.found.spec.cv
    if cv is None:
        return None
    splitter = _splitter(scope, cv)
    for name, data in cv.data.items():
        check_folded_set(scope, cv, name, data)
    sets = tuple(
        _set(scope, name, data) for name, data in folded(scope.found.spec).items() if name in scope.found.names("data")
    )
    check_folds(scope, cv, phases)
    check_stacked_folds(scope, phases)
    if not sets:
        return None
    return CVPlan(
        n_folds=_n_folds(cv),
        splitter=splitter,
        sets=sets,
        repeats=cv.repeats,
        shuffle=cv.shuffle,
        train=cv.train,
        held_out=cv.held_out_name,
        val="" if cv.val_size is None else cv.val,
        val_size=cv.val_size or 0.0,
        phases=cv.phases or (),
        execution=_EXECUTIONS.get(cv.execution, "sequential"),
        workers=cv.workers or 0,
        new_seed=cv.new_seed,
        origin=scope.found.origin(_PATH),
        refit=cv.refit,
        cluster=cv.cluster or "",
    )


def _splitter(scope: Scope, cv: CrossValidation) -> Call | None:
    if isinstance(cv.folds, int):
        if cv.folds < 2:
            scope.found.error("wrong-value", f"`cv.folds` must be 2 or more, not `{cv.folds}`", ("cv", "folds"))
        return None
    linked = scope.found.call(cv.folds.use, cv.folds.arguments, ("cv", "folds"), kinds=("splitter",))
    if linked is None:
        return None
    call, _ = linked
    for key in ("repeats", "shuffle"):
        if key in cv.model_fields_set:
            message = f"`{key}` and a splitter under `folds` exclude each other"
            scope.found.error("exclusive-keys", message, ("cv", key), part="key", help="give it to the splitter")
    check_needs(scope, cv, call)
    return call


def _n_folds(cv: CrossValidation) -> int:
    """As many as are asked for; a column tells by itself, and is held to the number that is written."""
    is_by_column = any(data.column for data in cv.data.values())
    if not isinstance(cv.folds, int) or (is_by_column and "folds" not in cv.model_fields_set):
        return 0
    return cv.folds


def _set(scope: Scope, name: str, data: CVData) -> FoldedSet:
    path: Path = ("cv", "data", name)
    origin = scope.found.origin(path if scope.found.document.find(path) is not None else _PATH)
    return FoldedSet(
        name,
        pool_of(scope.found.spec, name),
        data.stratify_by or "",
        data.group_by or "",
        data.column or "",
        data.order_by or "",
        origin,
    )
