"""Units into folds: scikit-learn's splitters, a column, or a splitter of the user's."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, TimeSeriesSplit

from runexp.plan.folds import CVPlan
from runexp.plan.values import Origin
from runexp.runtime.data.problems import first_line, shown, wrong
from runexp.runtime.data.table import Array
from runexp.runtime.folds.joining import Together
from runexp.runtime.resolve import REFUSALS, keyword_arguments, resolve
from runexp.runtime.seeds import derive_seed

_MOST_FOLDS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Units to train on and units held out, ascending; `is_series` where the held-out ones come later in time."""

    name: str
    train: Array
    held_out: Array
    is_series: bool = False


def cuts_of(cv: CVPlan, together: Together, *, seed: int) -> tuple[Cut, ...]:
    """Every fold's two parts; `SpecError` where the rows cannot be divided like that."""
    if together.held is not None:
        cuts = list(_by_column(cv, together, together.held))
    elif cv.splitter is not None:
        cuts = list(_by_splitter(cv, together, _made(cv, seed)))
    else:
        cuts = list(_repeated(cv, together, seed))
    if len(cuts) < 2:
        raise wrong(cv.origin, "bad-folds", f"these rows give {len(cuts)} fold{'s' * (len(cuts) != 1)}, not two")
    return tuple(cuts)


def _by_column(cv: CVPlan, together: Together, held: Array) -> Iterator[Cut]:
    pool = together.pools[0]
    values: Array = np.empty(0) if pool.values is None else pool.values
    if cv.n_folds and cv.n_folds != len(values):
        message = f"{shown(pool.asked.column)} has {len(values)} values, and `folds` says {cv.n_folds}"
        raise wrong(cv.origin, "wrong-value", message, hint="leave out `folds`: the column tells")
    for code, value in enumerate(values):
        yield Cut(f"{pool.asked.column} {_written(value)}", np.flatnonzero(held != code), np.flatnonzero(held == code))


def _repeated(cv: CVPlan, together: Together, seed: int) -> Iterator[Cut]:
    _check_enough(cv, together)
    for repeat in range(cv.repeats):
        splitter = _splitter(cv, together, derive_seed(seed, "folds", repeat) % 2**32 if cv.shuffle else None)
        for cut in _cuts(cv, together, splitter):
            yield cut if cv.repeats == 1 else Cut(f"repeat {repeat}", cut.train, cut.held_out)


def _splitter(cv: CVPlan, together: Together, random_state: int | None) -> Any:  # noqa: ANN401 - scikit-learn is untyped
    if together.classes is not None and together.groups is not None:
        kind = StratifiedGroupKFold
    elif together.classes is not None:
        kind = StratifiedKFold
    else:
        kind = GroupKFold if together.groups is not None else KFold
    return kind(n_splits=cv.n_folds, shuffle=cv.shuffle, random_state=random_state)


def _check_enough(cv: CVPlan, together: Together) -> None:
    """As many rows, groups, and rows of each class as there are folds."""
    pool = together.pools[0]
    if together.groups is not None:
        n_groups = int(together.groups.max()) + 1
        if n_groups < cv.n_folds:
            message = f"{cv.n_folds} folds need {cv.n_folds} groups, and {shown(pool.asked.group_by)} has {n_groups}"
            raise wrong(pool.asked.origin, "bad-folds", message)
    if together.classes is not None:
        counts = np.bincount(together.classes)
        if counts.min() < cv.n_folds:
            message = (
                f"{cv.n_folds} folds need {cv.n_folds} rows of each class, and the rarest of"
                f" {shown(pool.asked.stratify_by)} has {counts.min()}"
            )
            raise wrong(pool.asked.origin, "bad-folds", message, hint="fewer folds, or no `stratify_by`")
    if together.n_units < cv.n_folds:
        message = f"{cv.n_folds} folds need as many rows, and {shown(pool.asked.data)} has {together.n_units}"
        raise wrong(pool.asked.origin, "bad-folds", message)


def _made(cv: CVPlan, seed: int) -> Any:  # noqa: ANN401 - any splitter
    """The splitter of the spec; what is random in it and was left open comes from the experiment's seed."""
    assert cv.splitter is not None
    try:
        make = resolve(cv.splitter)
        arguments = keyword_arguments(cv.splitter, make)
        parameters = inspect.signature(make).parameters
        shuffles = bool(arguments.get("shuffle")) or "shuffle" not in parameters
        if "random_state" in parameters and "random_state" not in arguments and shuffles:
            arguments["random_state"] = derive_seed(seed, "folds") % 2**32
        return make(**arguments)
    except REFUSALS as error:
        raise _refused(cv, error) from error


def _by_splitter(cv: CVPlan, together: Together, splitter: Any) -> Iterator[Cut]:  # noqa: ANN401 - any splitter
    _check_number(cv, together, splitter)
    pool = together.pools[0]
    is_series = isinstance(splitter, TimeSeriesSplit)
    for cut in _cuts(cv, together, splitter):
        name = ""
        if together.group_values is not None:
            groups = np.unique(together.group_values[cut.held_out])
            name = f"{pool.asked.group_by} {_written(groups[0])}" if len(groups) == 1 else ""
        yield Cut(name, cut.train, cut.held_out, is_series=is_series)


def _check_number(cv: CVPlan, together: Together, splitter: Any) -> None:  # noqa: ANN401 - any splitter
    if not callable(getattr(splitter, "split", None)):
        message = f"{shown(cv.splitter.name if cv.splitter else '')} has no method `split(X, y, groups)`"
        raise wrong(cv.origin, "wrong-use", message)
    count = getattr(splitter, "get_n_splits", None)
    if callable(count):
        try:
            n_folds = count(np.zeros((together.n_units, 1)), together.classes, together.groups)
        except REFUSALS as error:
            raise _refused(cv, error) from error
        if n_folds is not None and n_folds > _MOST_FOLDS:
            raise wrong(cv.origin, "too-large", f"{n_folds:,} folds are more than {_MOST_FOLDS:,}")


def _cuts(cv: CVPlan, together: Together, splitter: Any) -> Iterator[Cut]:  # noqa: ANN401 - any splitter
    """What a splitter gives, on the units in their order."""
    order = np.argsort(together.order, kind="stable")
    classes = None if together.classes is None else together.classes[order]
    groups = None if together.groups is None else together.groups[order]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is checked before, or is an error here
            made = list(splitter.split(np.zeros((len(order), 1)), classes, groups))
    except REFUSALS as error:
        raise _refused(cv, error) from error
    for number, (train, held_out) in enumerate(made):
        learns, held = (np.unique(_checked(part, len(order), cv.origin)) for part in (train, held_out))
        if not len(learns) or not len(held) or np.isin(learns, held).any():
            fault = "trains on rows that it holds out" if len(learns) and len(held) else "has an empty part"
            raise wrong(cv.origin, "overlapping-splits", f"fold {number} {fault}")
        yield Cut("", np.sort(order[learns]), np.sort(order[held]), is_series=together.is_series)


def _checked(part: Iterable[int], n_units: int, origin: Origin) -> Array:
    positions = np.asarray(part)
    if (
        positions.dtype.kind not in "iu"
        or positions.ndim != 1
        or (len(positions) and not 0 <= positions.min() <= positions.max() < n_units)
    ):
        message = f"the splitter gives something else than row numbers from 0 to {n_units - 1}"
        raise wrong(origin, "wrong-use", message)
    return positions


def _refused(cv: CVPlan, error: Exception) -> Exception:
    return wrong(cv.origin, "bad-folds", f"the rows cannot be divided into these folds: {first_line(error)}")


def _written(value: Any) -> str:  # noqa: ANN401 - a scalar of any numpy type
    is_whole_float = isinstance(value, np.floating) and float(value).is_integer()
    return str(int(value)) if is_whole_float else str(value)
