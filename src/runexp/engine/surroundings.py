"""What the experiment lends a phase."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from runexp.engine.control import Control
from runexp.engine.live import Live
from runexp.engine.protocol import Snapshot
from runexp.events import Event
from runexp.plan.guards import OnNan
from runexp.plan.phases import EvalPlan

Outbox = deque[Event]


class Surroundings:
    """What the experiment lends a phase: an outbox for facts, ways to evaluate and to keep weights, the flags."""

    def __init__(
        self,
        control: Control,
        live: Live,
        evaluate: Callable[[EvalPlan], Mapping[str, float]],
        snapshot: Callable[[tuple[str, ...]], Snapshot],
        restore: Callable[[Snapshot], None],
        *,
        wants_batches: bool,
        on_nan: OnNan = "stop",
    ) -> None:
        self.on_nan = on_nan
        self.control = control
        self.live = live
        self.evaluate = evaluate
        self.snapshot = snapshot
        self.restore = restore
        self.wants_batches = wants_batches
        self.outbox: Outbox = deque()
