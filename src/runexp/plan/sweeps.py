"""The planned sweep: what is varied, how values are chosen, and which numbers are to improve."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Literal

from runexp.plan.values import FrozenMap, Origin
from runexp.records import dataclass

Sampler = Literal["grid", "random", "tpe", "cmaes"]
Pruner = Literal["none", "median", "halving"]
Direction = Literal["min", "max"]
SweepExecution = Literal["sequential", "processes", "vectorized", "dask", "ray"]


@dataclass(frozen=True, slots=True)
class ParameterPlan:
    """What one address is given: `values`, or, where there are none, numbers from `low` to `high`.

    `step` 0: any number. `when` maps the addresses of other parameters to the values that make this one vary.
    """

    address: str
    values: tuple[Any, ...]
    low: float
    high: float
    step: float
    log: bool
    integer: bool
    origin: Origin
    when: FrozenMap = field(default_factory=FrozenMap)


@dataclass(frozen=True, slots=True)
class ObjectivePlan:
    """A number that a run ends with, and which way is better."""

    address: str
    mode: Direction


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """Trials of one spec with other values.

    `n_trials` 0: as many as the grid has points. `monitor` is the number that the pruner watches, and where more of it
    is better where `monitor_mode` says so; `workers` 0: as many as fit. `cluster` is the address of a Dask
    scheduler or a Ray cluster; empty: workers of this machine.
    """

    parameters: tuple[ParameterPlan, ...]
    sampler: Sampler
    n_trials: int
    objectives: tuple[ObjectivePlan, ...]
    pruner: Pruner
    monitor: str
    monitor_mode: Direction
    execution: SweepExecution
    workers: int
    is_stored_elsewhere: bool
    origin: Origin
    cluster: str = ""
