"""What a model says of each row of a window: one prediction a row, and of a text how likely each token was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from runexp.plan.data import WindowPlan
from runexp.plan.judged import Judged
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.table import Array
from runexp.runtime.model.predictions import NodePredictions, said
from runexp.runtime.model.reading import Reading, Steps


def by_step(
    judged: Judged | None, trained: FeatureSet | None, output: Tensor, seen: WindowPlan | None
) -> Tensor | None:
    """(M, size, …) of a node that says something of each row of windows; None of one that does not.

    `trained` is the feature set of its target, `seen` the windows it is asked about.
    """
    if judged is None or judged.target is None or trained is None or trained.windows is None or seen is None:
        return None
    if trained.windows.plan.cuts[judged.target[1]][1] != trained.windows.plan.size:
        return None
    if judged.decision == "argmax" and output.ndim == 3 and output.shape[2] == seen.size:
        return output.movedim(2, 1)
    return output if output.ndim > 1 and output.shape[1] == seen.size else None


def said_by_step(node: str, output: Tensor, judged: Judged, trained: FeatureSet, steps: Steps) -> NodePredictions:
    """What a node says of rows, from its output (M, size, …) of windows."""
    taken = output[steps.is_taken]
    decision = "argmax" if judged.decision == "each_step" else judged.decision
    return said(node, taken, replace(judged, decision=decision), replace(trained, windows=None))


class Tokens:
    """The tokens of a text that is read, and the probability that each had from those before it.

    It remembers where the part before ended: parts are asked for in order.
    """

    def __init__(self, reading: Reading) -> None:
        features = reading.first.features
        key = next((key for key in features.keys if features.gathered[key].key.is_tokens), None)
        self._codes: Array | None = features.gathered[key].raw if key is not None else None
        self._labels: Array = np.asarray(features.classes(key) if key is not None else ())
        self._last: dict[str, Array] = {}

    def lines(self, positions: Array) -> dict[str, Any]:
        """The column `token`; none where rows are no tokens."""
        return {} if self._codes is None else {"token": self._labels[self._codes[positions]]}

    def with_given(self, told: NodePredictions, judged: Judged, trained: FeatureSet, steps: Steps) -> NodePredictions:
        """The same with the probability of each token, if the node predicts the next one."""
        windows, key = trained.windows, judged.target[1] if judged.target else ""
        chances = told.probabilities
        is_next = windows is not None and windows.plan.cuts[key][0] == 1 and trained.gathered[key].key.is_tokens
        if self._codes is None or not is_next or chances is None or not len(chances):
            return told
        before = self._last.get(told.node, np.full_like(chances[:1], np.nan))
        self._last[told.node] = chances[-1:]
        given = np.concatenate([before, chances[:-1]])[np.arange(len(chances)), self._codes[steps.positions]]
        given[steps.is_first] = np.nan
        return replace(told, given=given)
