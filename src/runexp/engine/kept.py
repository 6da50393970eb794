"""What a train phase goes on from, beside its program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runexp.engine.checkpoints import CheckpointRule
from runexp.engine.phases import TrainPhase
from runexp.engine.view import Callback, load_states, states_of


class Kept:
    """The state of a train phase beside that of its program."""

    def __init__(self, phase: TrainPhase, callbacks: Sequence[Callback], rule: CheckpointRule | None) -> None:
        self.label = phase.phase
        self._phase = phase
        self._callbacks = callbacks
        self._rule = rule

    @property
    def is_over(self) -> bool:
        """Whether its last epoch is over."""
        return self._phase.is_over

    def state(self) -> Mapping[str, Any]:
        """What the phase, its callbacks and the rule of its checkpoints go on from."""
        rule = self._rule.state() if self._rule else None
        return {"phase": self._phase.state(), "callbacks": states_of(self._callbacks), "rule": rule}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""
        self._phase.load_state(state["phase"])
        load_states(self._callbacks, state["callbacks"])
        if self._rule and state["rule"]:
            self._rule.load_state(state["rule"])
