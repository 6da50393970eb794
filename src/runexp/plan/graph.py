"""The planned graph: nodes in topological order, what feeds them, and the routes of losses and metrics."""

from __future__ import annotations

from typing import Literal

from runexp.plan.values import Call, FrozenMap, Origin
from runexp.records import dataclass


@dataclass(frozen=True, slots=True)
class Feed:
    """One input of a node: another node's output, or a key of the data.

    `argument` is the keyword of the node's forward; empty: by position. `role`: of the calls of the other node, the one
    for this role; empty: this node is called for each as well. `binding` is the one that made it, if one did.
    """

    source: Literal["node", "data"]
    name: str
    key: str = ""
    argument: str = ""
    role: str = ""
    binding: str = ""

    def __str__(self) -> str:
        return ".".join(part for part in (self.name, self.key, self.role) if part)


@dataclass(frozen=True, slots=True)
class WeightsPlan:
    """Weights that a node takes from elsewhere: whose, by the node's name there, and from where.

    A file, relative to the spec's folder, before anything runs; those of a train phase of this run once that is over;
    those of an earlier run, whose reference may end in the name of a checkpoint, before anything runs: `path` is then
    known once it has been found. `strict`: every parameter must be there.
    """

    path: str
    node: str
    strict: bool
    origin: Origin
    kind: Literal["file", "phase", "run"] = "file"
    giver: str = ""
    checkpoint: str = ""

    def __str__(self) -> str:
        source = self.path if self.kind == "file" else " ".join((self.kind, self.giver))
        return " ".join(part for part in (source, self.checkpoint, f"({self.node})" if self.node else "") if part)


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node: a torch module (one call), a sequence of them (`layers`), an estimator, one output of a module, or the
    several keys of a binding, put side by side (`keys`).

    `outputs` names what a module gives, where that is several tensors; the node `<name>.<output>`, of kind `output` and
    fed by it, stands for each of them.
    `others` are further bindings of an input that one of `feeds` has already: training calls the node for each of them,
    an evaluation or a fit takes the first.
    """

    name: str
    kind: Literal["module", "layers", "estimator", "output", "keys"]
    calls: tuple[Call, ...]
    feeds: tuple[Feed, ...]
    method: str
    freeze: bool
    init: FrozenMap
    origin: Origin
    others: tuple[Feed, ...] = ()
    weights: WeightsPlan | None = None
    chunk_size: int = 0
    checkpointing: bool = False
    outputs: tuple[str, ...] = ()

    @property
    def is_estimator(self) -> bool:
        """Whether it is fitted in closed form."""
        return self.kind == "estimator"


@dataclass(frozen=True, slots=True)
class Route:
    """One input of a loss or metric: a node's output, a key of a feature set, values between pairs of its rows, or what
    a sampler gives (`weights`).

    `argument` is the keyword it goes to; empty: by position. `role`: of which row of those drawn together. Of pairs
    `name` is the feature set whose rows they are about, `key` the matrix.
    """

    source: Literal["node", "data", "pairs", "sampler"]
    name: str
    key: str = ""
    argument: str = ""
    role: str = ""

    def __str__(self) -> str:
        if self.source == "pairs":
            return self.key
        name = "sampler" if self.source == "sampler" else self.name
        return ".".join(part for part in (name, "outputs" if self.source == "node" else self.key, self.role) if part)


@dataclass(frozen=True, slots=True)
class WeightCurve:
    """A loss's weight by update: from `start` to `end` over so many epochs or steps; both 0: over the phase (S-16)."""

    kind: Literal["linear", "cosine", "step"]
    start: float
    end: float
    n_epochs: int = 0
    n_steps: int = 0


@dataclass(frozen=True, slots=True)
class LossPlan:
    """A loss applied to a node: what computes it, what it is given, its share of the total.

    `elementwise`: output and target must have the same shape, so (N, 1) against (N,) is aligned.
    `decision`: how classes follow from the node's output, for metrics that want labels. Where the weight changes over
    a train phase by `curve`, `weight` is its end, which evaluations count with.
    """

    name: str
    node: str
    call: Call
    routes: tuple[Route, ...]
    weight: float
    elementwise: bool
    decision: Decision
    origin: Origin
    curve: WeightCurve | None = None


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
