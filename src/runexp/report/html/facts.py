"""What a page of a run is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from runexp.report.data import SetFacts
from runexp.report.run_page import CheckpointFacts
from runexp.results.judged import Judged
from runexp.results.requirements import Verdict
from runexp.results.run import RunResults
from runexp.results.run_record import RunRecord

BoxKind = Literal["data", "node", "estimator", "loss"]


@dataclass(frozen=True, slots=True)
class Box:
    """Something in the picture of a graph: a key of the data, a node or a loss; `details` are lines below its name."""

    mark: str
    name: str
    kind: BoxKind
    details: tuple[str, ...] = ()
    is_frozen: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """What feeds what, by the marks of boxes; `said` is the role or the argument, where there is one."""

    start: str
    end: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A graph to be drawn."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """When a phase ran, in seconds from the start of the run; `end` is None where it was cut short."""

    label: str
    start: float
    end: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of the machine in a phase, in seconds from the start of the run, by name."""

    phase: str
    seconds: float
    numbers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Alert:
    """What a run was warned of or stopped by, in seconds from its start; `phase` is empty for the run as a whole."""

    phase: str
    seconds: float
    kind: Literal["warning", "loss that is not finite", "stop"]
    message: str


@dataclass(frozen=True, slots=True)
class Committed:
    """When a checkpoint was saved; -1 where it has no epoch."""

    epoch: int
    step: int


@dataclass(frozen=True, slots=True)
class PageFacts:
    """A run as a page tells it. `gaps` says plainly what the page cannot show, and why.

    `per_batch` tells whether the records of single batches are few enough to be read for curves. `tracked` is what
    tracking.json holds, `registered` what registered.json does; `committed` has the checkpoints by name.
    """

    record: RunRecord
    results: RunResults
    description: str
    spec: str
    picture: Picture | None
    spans: Sequence[Span]
    sets: Sequence[SetFacts]
    judged: Sequence[Judged]
    checkpoints: Sequence[CheckpointFacts]
    units: Mapping[str, Mapping[str, str]]
    problems: Sequence[str]
    gaps: Mapping[str, str]
    requirements: Sequence[Verdict] = ()
    per_batch: bool = True
    measured: Sequence[Measured] = ()
    alerts: Sequence[Alert] = ()
    committed: Mapping[str, Committed] = field(default_factory=dict)
    tracked: Mapping[str, Any] = field(default_factory=dict)
    registered: Mapping[str, Any] = field(default_factory=dict)
