"""Planned sweep → outline."""

from __future__ import annotations

from runexp.plan.likeness import AT_ONCE
from runexp.plan.sweeps import ParameterPlan, SweepPlan
from runexp.report.fold_outline import through
from runexp.report.outline import Branch, literal

_SAMPLERS = {
    "grid": "every point of a grid",
    "random": "drawn at random",
    "tpe": "chosen by TPE",
    "cmaes": "chosen by CMA-ES",
}
_PRUNERS = {"none": "none", "median": "below the median", "halving": "successive halving"}


def outline_sweep(sweep: SweepPlan) -> Branch:
    """How many trials, what they vary, and what is to improve. The plan around it is that of the spec's own values."""
    count = f"{sweep.n_trials} trials · " if sweep.n_trials else ""
    objectives = " · ".join(f"{one.address} {one.mode}" for one in sweep.objectives)
    watched = f" · watches {sweep.monitor}" if sweep.pruner != "none" else ""
    return Branch(
        "sweep",
        f"{count}{_SAMPLERS[sweep.sampler]}",
        (
            *(Branch(one.address, _values(one)) for one in sweep.parameters),
            Branch("objective", objectives),
            Branch("pruner", f"{_PRUNERS[sweep.pruner]}{watched}"),
            Branch("execution", _execution(sweep)),
            Branch("storage", "a database" if sweep.is_stored_elsewhere else "a journal beside the trials"),
        ),
    )


def _values(one: ParameterPlan) -> str:
    when = " · ".join(f"{name} is {' or '.join(map(literal, values))}" for name, values in one.when.items())
    condition = f" · where {when}" if when else ""
    if one.values:
        return f"{literal(one.values)}{condition}"
    scale = " · logarithmic" if one.log else ""
    step = f" · in steps of {one.step:g}" if one.step else " · whole numbers" if one.integer else ""
    return f"{one.low:g} to {one.high:g}{scale}{step}{condition}"


def _execution(sweep: SweepPlan) -> str:
    if sweep.execution == "sequential":
        return "one after the other"
    if sweep.execution == "vectorized":
        return f"trained at once, {sweep.workers or AT_ONCE} at a time, as far as they differ in numbers only"
    if sweep.cluster:
        return through(sweep.execution, sweep.cluster)
    if sweep.execution != "processes":
        return f"{through(sweep.execution)}, {_workers(sweep)}"
    return _workers(sweep)


def _workers(sweep: SweepPlan) -> str:
    return f"in {sweep.workers} processes" if sweep.workers else "in as many processes as there are processors"
