"""The planned graph: nodes in topological order, what feeds them, and the routes of losses and metrics."""

from __future__ import annotations

from typing import Literal

from runexp.plan.values import Call, FrozenMap, Origin
from runexp.records import dataclass


@dataclass(frozen=True, slots=True)
class Feed:
    """One input of a node: another node's output, or a key of the data.

    `argument` is the keyword of the node's forward; empty: by position.
    """

    source: Literal["node", "data"]
    name: str
    key: str = ""
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.name}.{self.key}" if self.source == "data" else self.name


@dataclass(frozen=True, slots=True)
class WeightsPlan:
    """A file of weights, relative to the spec's folder, and the node there; `strict`: every parameter must be in it."""

    path: str
    node: str
    strict: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node: a torch module (one call), a sequence of them (`layers`), or an estimator."""

    name: str
    kind: Literal["module", "layers", "estimator"]
    calls: tuple[Call, ...]
    feeds: tuple[Feed, ...]
    method: str
    freeze: bool
    init: FrozenMap
    origin: Origin
    weights: WeightsPlan | None = None
    chunk_size: int = 0
    checkpointing: bool = False

    @property
    def is_estimator(self) -> bool:
        """Whether it is fitted in closed form."""
        return self.kind == "estimator"


@dataclass(frozen=True, slots=True)
class Route:
    """One input of a loss or metric: a node's output, a key of a feature set, or values between pairs of its rows.

    `argument` is the keyword it goes to; empty: by position. Of pairs `name` is the feature set whose rows they are
    about, `key` the matrix.
    """

    source: Literal["node", "data", "pairs"]
    name: str
    key: str = ""
    argument: str = ""

    def __str__(self) -> str:
        if self.source == "pairs":
            return self.key
        return f"{self.name}.{self.key}" if self.source == "data" else f"{self.name}.outputs"


@dataclass(frozen=True, slots=True)
class LossPlan:
    """A loss applied to a node: what computes it, what it is given, its share of the total.

    `elementwise`: output and target must have the same shape, so (N, 1) against (N,) is aligned.
    `decision`: how classes follow from the node's output, for metrics that want labels.
    """

    name: str
    node: str
    call: Call
    routes: tuple[Route, ...]
    weight: float
    elementwise: bool
    decision: Decision
    origin: Origin


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """A metric over a whole split: predictions and targets by their routes.

    `wants`: what it takes as predictions; `decision`: how labels or scores follow from the node's output. `units`: of
    a target that transforms changed, whether both are taken back to the numbers that were read.
    """

    name: str
    node: str
    call: Call
    routes: tuple[Route, ...]
    wants: Taken
    decision: Decision
    higher_is_better: bool | None
    origin: Origin
    units: Units = ""


Taken = Literal["labels", "scores", "probabilities", "values"]
"""What a metric takes as predictions."""

Units = Literal["", "original", "transformed"]
"""Empty: the target is as it was read."""

Decision = Literal["argmax", "each_step", "logit", "probability", "as_is"]
"""How classes follow from a node's output: the largest of several, the largest of the last axis at each step of a
sequence, a threshold at 0 or at one half, or as it is."""
