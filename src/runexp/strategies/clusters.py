"""Clusters by the names that a spec has for them: whether one can be used, and a way in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.experiment import Plan
from runexp.strategies import dask_engine, ray_engine
from runexp.strategies.engines import Engine, Site


@dataclass(frozen=True, slots=True)
class _Kind:
    """A library: its name, what it calls itself, the extra that installs it, and who tells an address."""

    module: str
    title: str
    whole: str
    extra: str
    hint: str
    answers: Callable[[Site], bool]
    opened: Callable[[Site, int], AbstractContextManager[Engine]]


_KINDS: Mapping[str, _Kind] = {
    "dask": _Kind(
        "distributed", "Dask", "Dask scheduler", "cluster", "`dask scheduler` tells its address when it starts",
        dask_engine.answers, dask_engine.opened,
    ),
    "ray": _Kind(
        "ray", "Ray", "Ray cluster", "ray", "`ray start --head` tells its address; `auto` finds one of this machine",
        ray_engine.answers, ray_engine.opened,
    ),
}  # fmt: skip
_WHAT = {"cv": "folds", "sweep": "trials"}


def site_of_folds(plan: Plan) -> Site | None:
    """The cluster that the folds of a plan are run on; None where they are not."""
    cv = plan.cv
    if cv is None or (cv.execution != "dask" and cv.execution != "ray"):
        return None
    return Site(cv.execution, "cv", cv.cluster, cv.workers, plan.execution.threads or 1, on_gpu=_is_on_gpu(plan))


def site_of_trials(plan: Plan) -> Site | None:
    """The cluster that the trials of a plan are run on; None where they are not."""
    sweep = plan.sweep
    if sweep is None or (sweep.execution != "dask" and sweep.execution != "ray"):
        return None
    n_threads = plan.execution.threads or 1
    return Site(sweep.execution, "sweep", sweep.cluster, sweep.workers, n_threads, on_gpu=_is_on_gpu(plan))


def check_cluster(site: Site | None) -> None:
    """`SpecError` where the library is not installed, or nobody answers at the address."""
    if site is None:
        return
    kind = _KINDS[site.engine]
    try:
        import_module(kind.module)
    except ImportError as error:
        message = f"{_WHAT[site.section]} on a cluster are run through {kind.title}, which is not installed"
        raise SpecError([_told_at(site, "execution", message, f"`pip install 'runexp[{kind.extra}]'`")]) from error
    if site.address and not kind.answers(site):
        raise SpecError([_told_at(site, "cluster", f"no {kind.whole} answers at `{site.address}`", kind.hint)])


def connected(site: Site, n_jobs: int) -> AbstractContextManager[Engine]:
    """Who gives out the work at the address, or to workers of this machine, of which no more are started than there are
    jobs. `ClusterGone` where nobody answers any more."""
    return _KINDS[site.engine].opened(site, n_jobs)


def _is_on_gpu(plan: Plan) -> bool:
    return plan.execution.device.startswith("cuda")


def _told_at(site: Site, key: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic("wrong-value", message, help=hint, path=f"{site.section}.{key}")
