"""What a page of a run is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

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
class PageFacts:
    """A run as a page tells it. `gaps` says plainly what the page cannot show, and why.

    `per_batch` tells whether the records of single batches are few enough to be read for curves.
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
