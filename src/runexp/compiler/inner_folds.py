"""The pass over the folds inside of a fold, by which a sweep chooses the values of that fold alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from runexp.compiler.findings import Path
from runexp.compiler.scope import Scope
from runexp.plan.folds import REFIT, FoldedSet, InnerPlan
from runexp.plan.values import Call
from runexp.spec.strategies import CrossValidation, InnerData, InnerFolds, Sweep

_PATH: Path = ("cv", "inner")
_DIVIDING = ("seed", "cv")


def link_inner(scope: Scope, cv: CrossValidation, sets: Sequence[FoldedSet]) -> InnerPlan | None:
    """The plan of `cv.inner`, in which each of the folded sets is divided as it is by the folds, unless it says
    otherwise; None where there is none."""
    inner = cv.inner
    if inner is None:
        return None
    _check_together(scope, cv, inner, sets)
    splitter = _splitter(scope, inner)
    origin = scope.found.origin(_PATH)
    divided = tuple(_set(inner, replace(folded, origin=origin), splitter) for folded in sets)
    _check_looked_at(scope, divided, splitter)
    _check_order(scope, inner, divided, splitter)
    is_by_column = any(folded.column for folded in divided)
    n_folds = inner.folds if isinstance(inner.folds, int) else 0
    return InnerPlan(
        n_folds=0 if is_by_column and "folds" not in inner.model_fields_set else n_folds,
        splitter=splitter,
        sets=divided,
        repeats=inner.repeats,
        shuffle=inner.shuffle,
        origin=origin,
        of=REFIT if inner.of == "refit" else inner.of,
        rows=inner.rows or "",
    )


def _set(inner: InnerFolds, folded: FoldedSet, splitter: Call | None) -> FoldedSet:
    """How one set is divided inside of a fold: what is not said is as outside, but for a column."""
    own = inner.data.get(folded.data, InnerData())
    if own.column is not None:
        return FoldedSet(folded.data, folded.pool, "", "", own.column, "", folded.origin)
    looks_at_classes = splitter is None or "Stratified" in _label(splitter) or not _is_known(splitter)
    return FoldedSet(
        folded.data,
        folded.pool,
        own.stratify_by or (folded.stratify_by if looks_at_classes else ""),
        own.group_by or folded.group_by,
        "",
        own.order_by or folded.order_by,
        folded.origin,
    )


def _splitter(scope: Scope, inner: InnerFolds) -> Call | None:
    path = (*_PATH, "folds")
    if isinstance(inner.folds, int):
        if inner.folds < 2:
            scope.found.error("wrong-value", f"`cv.inner.folds` must be 2 or more, not `{inner.folds}`", path)
        if inner.repeats > 1 and not inner.shuffle:
            message = "`repeats` without `shuffle` would make the same inner folds again"
            scope.found.error("exclusive-keys", message, (*_PATH, "repeats"), part="key")
        return None
    for key in ("repeats", "shuffle"):
        if key in inner.model_fields_set:
            message = f"`{key}` and a splitter under `folds` exclude each other"
            scope.found.error("exclusive-keys", message, (*_PATH, key), part="key", help="give it to the splitter")
    linked = scope.found.call(inner.folds.use, inner.folds.arguments, path, kinds=("splitter",))
    return linked[0] if linked is not None else None


def _check_together(scope: Scope, cv: CrossValidation, inner: InnerFolds, sets: Sequence[FoldedSet]) -> None:
    """Inner folds and what stands beside them."""
    known = {folded.data: folded for folded in sets}
    for name, data in inner.data.items():
        if name not in known:
            scope.found.unknown("feature set", name, (*_PATH, "data", name), tuple(known), part="key")
        elif data.column is not None:
            _check_column(scope, inner, data, known[name])
    if inner.rows is not None and inner.of is None:
        message = "`rows` tells of the one fold that `of` names, and there is none"
        scope.found.error("missing-key", message, (*_PATH, "rows"), part="key", help="leave `rows` out")
    if isinstance(inner.of, int):
        _check_number(scope, cv, inner.of)
    elif inner.of == "refit" and not cv.refit:
        message = "there is no refit to divide: the folds are all that is trained"
        scope.found.error("wrong-value", message, (*_PATH, "of"), help="`cv: {refit: true}`")
    if cv.is_nested:
        _check_sweep(scope, cv, scope.found.spec.sweep)


def _check_number(scope: Scope, cv: CrossValidation, of: int) -> None:
    n_folds = cv.folds * cv.repeats if isinstance(cv.folds, int) else 0
    is_by_column = any(data.column for data in cv.data.values())
    if of < 0 or (n_folds and of >= n_folds and not is_by_column):
        last = f"the last of these {n_folds} is {n_folds - 1}" if n_folds else "they are counted from 0"
        scope.found.error("wrong-value", f"there is no fold {of}: {last}", (*_PATH, "of"))


def _check_column(scope: Scope, inner: InnerFolds, data: InnerData, folded: FoldedSet) -> None:
    path: Path = (*_PATH, "data", folded.data)
    for key in ("stratify_by", "group_by", "order_by"):
        if getattr(data, key) is not None:
            message = f"`column` and `{key}` exclude each other"
            scope.found.error("exclusive-keys", message, (*path, key), part="key")
    if folded.group_by:
        message = f"inner folds by a column could part the groups of `{folded.group_by}`, which the folds keep together"
        scope.found.error("exclusive-keys", message, (*path, "column"), part="key")
    if not isinstance(inner.folds, int) or inner.repeats > 1:
        key = "repeats" if isinstance(inner.folds, int) else "a splitter"
        message = f"`column` gives the inner folds, and excludes {key}"
        scope.found.error("exclusive-keys", message, (*path, "column"), part="key")


def _check_sweep(scope: Scope, cv: CrossValidation, sweep: Sweep | None) -> None:
    """What is chosen inside of each fold is one value for each parameter, by one number, whatever it is run by."""
    if sweep is None:
        if not scope.found.is_damaged(("sweep",)):
            message = "inner folds are what a sweep chooses values by, and there is no section `sweep`"
            help = "add `sweep: {parameters: …, objective: …}`, or leave `inner` out"
            scope.found.error("missing-key", message, _PATH, part="key", help=help)
        return
    for message, path, help in (*_too_much(cv, sweep), *_dividing(sweep)):
        scope.found.error("exclusive-keys", message, path, part="key", help=help)


def _too_much(cv: CrossValidation, sweep: Sweep) -> Iterator[tuple[str, Path, str]]:
    if not isinstance(sweep.objective, str) and len(sweep.objective) > 1:
        message = "inner folds choose the values that are best by one number, and there are several objectives"
        yield message, ("sweep", "objective"), "name the one that decides"
    if sweep.storage is not None:
        message = "each fold remembers its own trials beside them, and `storage` is one place for all"
        yield message, ("sweep", "storage"), "leave `storage` out"
    if cv.execution in ("vectorized", "dask"):
        why = "each fold has values of its own" if cv.execution == "vectorized" else "a cluster runs folds alone"
        yield (
            f"`execution: {cv.execution}` and `inner` exclude each other: {why}",
            ("cv", "execution"),
            ("`execution: processes`"),
        )
    if cv.execution == "processes" and sweep.execution == "processes":
        message = "folds run in processes already, and trials inside of them would ask for more"
        yield message, ("sweep", "execution"), "`execution: processes` for one of the two"


def _dividing(sweep: Sweep) -> Iterator[tuple[str, Path, str]]:
    """A parameter that makes other folds would let a trial see the rows that its fold holds out."""
    for address in sweep.parameters:
        if address.replace("[", ".").partition(".")[0] in _DIVIDING:
            message = f"`{address}` decides how rows are divided, which has to be the same for all trials of a fold"
            yield message, ("sweep", "parameters", address), "leave it out of what varies"


def _check_looked_at(scope: Scope, divided: Sequence[FoldedSet], splitter: Call | None) -> None:
    """A splitter by groups needs groups, and any other would part them."""
    if splitter is None or not _is_known(splitter):
        return
    label, path = _label(splitter), (*_PATH, "folds")
    for key, is_needed in (("group_by", "Group" in label), ("stratify_by", "Stratified" in label)):
        written = [getattr(folded, key) for folded in divided if getattr(folded, key)]
        if is_needed and not written:
            message = f"`{label}` needs `{key}`, which no feature set of `cv.data` or `cv.inner.data` has"
            scope.found.error("missing-key", message, path)
        elif written and not is_needed:
            message = f"`{label}` does not look at `{key}: {written[0]}`, by which the rows of a fold are divided"
            scope.found.error("exclusive-keys", message, path)


def _check_order(scope: Scope, inner: InnerFolds, divided: Sequence[FoldedSet], splitter: Call | None) -> None:
    ordered = next((folded for folded in divided if folded.order_by), None)
    if ordered is not None and splitter is None and inner.shuffle and isinstance(inner.folds, int):
        message = f"rows in order of `{ordered.order_by}` and shuffled inner folds exclude each other"
        help = "`shuffle: false`, or a splitter of time series: `inner: {folds: {use: time_series}}`"
        scope.found.error("exclusive-keys", message, _PATH, part="key", help=help)


def _is_known(splitter: Call) -> bool:
    return splitter.target.startswith("sklearn.")


def _label(splitter: Call) -> str:
    return splitter.target.rpartition(":")[2]
