"""Planned cross-validation → outline."""

from __future__ import annotations

from runexp.plan.folds import REFIT, CVPlan, FoldedSet, InnerPlan
from runexp.report.outline import Branch, called, listed


def outline_folds(cv: CVPlan) -> Branch:
    """How many folds, who divides them, what is pooled, and what the parts are called."""
    inner = f" · {cv.val} is {cv.val_size:g} of what is left of the pool" if cv.val else ""
    return Branch(
        "cross-validation",
        _folds(cv),
        (
            *(Branch(folded.data, _divided(folded)) for folded in cv.sets),
            Branch("parts", f"{cv.train} learns · {cv.held_out} is held out{inner}"),
            Branch("phases", listed(cv.phases, nothing="all")),
            Branch("seed", "another for each fold" if cv.new_seed else "the same in each fold"),
            *((_inside(cv, cv.inner),) if cv.inner is not None else ()),
            *((Branch("refit", "once more, on everything that is pooled"),) if cv.refit else ()),
            Branch("execution", _execution(cv)),
        ),
    )


def _inside(cv: CVPlan, inner: InnerPlan) -> Branch:
    """How what a fold learns from is divided once more, and what for."""
    sets = tuple(Branch(folded.data, _divided(folded, f"what {cv.train} is made of")) for folded in inner.sets)
    if inner.of is None:
        return Branch("inner", f"{_folds(cv.inside())} · the sweep chooses the values of each fold by them", sets)
    which = "the refit" if inner.of == REFIT else f"fold {inner.of}"
    return Branch("inner", f"{_folds(cv.inside())} · of {which} alone, in the place of all", sets)


def _folds(cv: CVPlan) -> str:
    if cv.splitter is not None:
        return called(cv.splitter)
    if not cv.n_folds:
        return "a fold for each value of a column"
    shuffled = "shuffled by the seed" if cv.shuffle else "in the order of the rows"
    return f"{cv.n_folds} folds · {shuffled}" + (f" · {cv.repeats} times" if cv.repeats > 1 else "")


def _divided(folded: FoldedSet, pool: str = "") -> str:
    asked = {
        "stratified by": folded.stratify_by,
        "groups of": folded.group_by,
        "by the column": folded.column,
        "in order of": folded.order_by,
    }
    said = [f"{words} {name}" for words, name in asked.items() if name]
    pooled = f"divides {pool}" if pool else f"pools {listed(folded.pool, nothing='all rows')}"
    return " · ".join([pooled, *said])


def _execution(cv: CVPlan) -> str:
    if cv.execution == "vectorized":
        return "all at once, on stacked weights: as one after the other, but for rounding"
    if cv.execution == "dask":
        return f"through Dask, {f'by the scheduler at {cv.cluster}' if cv.cluster else _workers(cv.workers)}"
    return "one after the other" if cv.execution == "sequential" else _workers(cv.workers)


def _workers(n_workers: int) -> str:
    return f"in {n_workers} processes" if n_workers else "in as many processes as there are processors, or folds"
