"""Confusion matrices of the eval phases of a run, with the weights it ended with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from runexp.plan.experiment import Plan, walk
from runexp.plan.judged import Judged, judged_by
from runexp.plan.phases import EvalPlan
from runexp.runtime.data import FeatureSet
from runexp.runtime.metrics import predictions
from runexp.runtime.torch_runtime import TorchRuntime

_MOST_CLASSES = 100


@dataclass(frozen=True, slots=True)
class Confusion:
    """Of a phase: `counts[i][j]` rows of class `labels[i]` were taken for `labels[j]`."""

    phase: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def confusions(plan: Plan, runtime: TorchRuntime) -> Iterator[Confusion]:
    """A matrix for each eval phase in which a judged node, the first such, tells up to 100 classes apart."""
    for phase in walk(plan.phases):
        if isinstance(phase, EvalPlan) and not phase.lanes:
            judged = next((one for one in judged_by((*phase.losses, *phase.metrics)) if _decides(one)), None)
            found = _confusion(phase, judged, runtime) if judged is not None else None
            if found is not None:
                yield found


def _decides(one: Judged) -> bool:
    return one.decision in ("argmax", "logit", "probability") and one.target is not None


def _confusion(phase: EvalPlan, judged: Judged, runtime: TorchRuntime) -> Confusion | None:
    assert judged.target is not None
    features, key = runtime.sets[judged.target[0]], judged.target[1]
    if features.stream is not None or features.windows is not None or features.raw(key).dtype.kind not in "iu":
        return None
    truth = features.raw(key)[features.splits[phase.split]].reshape(-1)
    program = runtime.open_eval(phase)
    chunks = [program.outputs(batch, (judged.node,)).get(judged.node) for batch in program.draw()]
    outputs = [chunk for chunk in chunks if chunk is not None]
    if len(outputs) < len(chunks) or not outputs:
        return None
    said = predictions(torch.cat(outputs), "labels", judged.decision).reshape(-1)
    if len(said) != len(truth):
        return None
    labels = _labels(features, key, int(max(truth.max(), said.max())) + 1)
    if len(labels) > _MOST_CLASSES or min(truth.min(), said.min()) < 0:
        return None
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, (truth, said.astype(np.int64)), 1)
    return Confusion(phase.label, labels, tuple(tuple(row) for row in counts.tolist()))


def _labels(features: FeatureSet, key: str, n_classes: int) -> tuple[str, ...]:
    return features.classes(key) or tuple(str(number) for number in range(n_classes))
