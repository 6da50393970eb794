"""The models of the folds of a cross-validation asked together: what they say in the mean, and their spread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from runexp.plan.data import WindowPlan
from runexp.runtime.data.table import Array
from runexp.runtime.model.model import CHUNK, Model
from runexp.runtime.model.predictions import NodePredictions, Predictions
from runexp.runtime.model.problems import CannotLoad, CannotPredict


class Ensemble:
    """The models of several folds as one. Each applies the transforms that were fitted in its fold.

    `members` are the models by the label of their fold, `outputs` the nodes that `predict` asks unless told others.
    `spread` of what is predicted is the sample standard deviation over the folds: of a number itself, of a class that
    is told with its probability of that probability. Where an estimator gives classes alone, the folds vote, and
    `spread` is the share of those that say another class.
    """

    def __init__(self, members: Mapping[str, Model], kind: str) -> None:
        """`CannotLoad` where what the folds give cannot be averaged; `kind` says in words which folds they are."""
        self.members = dict(members)
        self.kind = kind
        first = self._first
        self.name = first.name
        self.outputs = tuple(node for node in first.outputs if _is_judged(first, node)) or first.outputs
        self._check(self.outputs)

    def __len__(self) -> int:
        return len(self.members)

    def __repr__(self) -> str:
        inner = repr(self._first).partition(": ")[2]
        return f"Ensemble({self.name!r}, {self.kind}: {inner}"

    def predict(self, table: Any, *, nodes: Sequence[str] | None = None, chunk: int = CHUNK) -> Predictions:  # noqa: ANN401
        """What the folds together say of the rows of a table, as `Model.predict` takes it.

        The mean of probabilities where a node decides between classes, and of numbers, in the target's own units,
        where it does not; `labels` are of the largest mean. Raises what `Model.predict` does, and `CannotLoad` for a
        node that cannot be averaged.
        """
        return next(self.predict_parts(table, nodes=nodes, chunk=chunk))

    def predict_parts(
        self,
        table: Any,  # noqa: ANN401
        *,
        nodes: Sequence[str] | None = None,
        size: int | None = None,
        chunk: int = CHUNK,
    ) -> Iterator[Predictions]:
        """The same for at most `size` rows or windows at a time; None: for all at once."""
        asked = tuple(nodes) if nodes is not None else self.outputs
        for name in asked:
            self._first.needed([name])
        self._check(asked)
        members = self.members.values()
        parts = [model.predict_parts(table, nodes=asked, size=size, chunk=chunk) for model in members]
        for found in zip(*parts, strict=True):
            told = {node: self._together(node, [one[node] for one in found]) for node in asked}
            yield Predictions(told, found[0].lines)

    @property
    def takes_text(self) -> bool:
        """As `Model.takes_text`."""
        return self._first.takes_text

    @property
    def windows(self) -> WindowPlan | None:
        """As `Model.windows`."""
        return self._first.windows

    @property
    def columns(self) -> tuple[str, ...]:
        """As `Model.columns`."""
        return self._first.columns

    def signature(self) -> dict[str, Any]:
        """Plain data, as that of a model."""
        return self._first.signature()

    @property
    def _first(self) -> Model:
        return next(iter(self.members.values()))

    def _check(self, nodes: Sequence[str]) -> None:
        for node in nodes:
            if not _is_judged(self._first, node):
                raise CannotLoad(
                    f"`{node}` is compared with no target, and what it means differs from fold to fold: it cannot be"
                    " averaged; ask the model of one fold"
                )

    def _together(self, node: str, said: Sequence[NodePredictions]) -> NodePredictions:
        first = said[0]
        if any(one.values.shape != first.values.shape or one.classes != first.classes for one in said):
            raise CannotPredict(f"`{node}` has other classes or columns in each fold: ask the model of one fold")
        if first.probabilities is None:
            return _voted(first, said) if self._gives_classes(node, first) else _averaged(first, said)
        chances = np.stack([one.probabilities for one in said if one.probabilities is not None])
        values = np.mean([one.values for one in said], axis=0, dtype=np.float64).astype(first.values.dtype)
        mean, spread = chances.mean(axis=0), _spread(chances)
        if first.labels is None or first.labels.ndim > 1:  # several labels at once
            return NodePredictions(node, values, (mean > 0.5).astype(np.int64), mean, first.classes, spread)
        codes = mean.argmax(axis=1)
        labels = np.asarray(first.classes)[codes] if first.labels.dtype.kind in "UO" else codes
        own = spread[np.arange(len(codes)), codes]
        given = [one.given for one in said if one.given is not None]
        return NodePredictions(
            node, values, labels, mean, first.classes, own, np.mean(given, axis=0) if given else None
        )

    def _gives_classes(self, node: str, said: NodePredictions) -> bool:
        """Whether a node gives classes themselves, as classifiers do."""
        is_classifier = self._first.graph.plans[node].method == "predict" and hasattr(
            self._first.estimators.get(node), "classes_"
        )
        return is_classifier or said.labels is not None or said.values.dtype.kind in "biu"


def _is_judged(model: Model, node: str) -> bool:
    judged = model.judged(node)
    return judged is not None and judged.target is not None


def _averaged(first: NodePredictions, said: Sequence[NodePredictions]) -> NodePredictions:
    values = np.stack([one.values for one in said]).astype(np.float64)
    mean = values.mean(axis=0).astype(first.values.dtype)
    return NodePredictions(first.node, mean, spread=_spread(values).astype(first.values.dtype))


def _voted(first: NodePredictions, said: Sequence[NodePredictions]) -> NodePredictions:
    """The class that most folds say; of several the first in order."""
    votes = np.stack([one.values.reshape(len(one.values), -1) for one in said])
    known = np.unique(votes)
    counts = np.stack([(votes == value).sum(axis=0) for value in known])
    winner = counts.argmax(axis=0) if len(known) else np.zeros(votes.shape[1:], np.int64)
    values = known[winner].reshape(first.values.shape).astype(first.values.dtype)
    share = 1 - counts.max(axis=0, initial=0) / len(said)
    return NodePredictions(first.node, values, _labels(first, said, values), spread=share.reshape(values.shape))


def _labels(first: NodePredictions, said: Sequence[NodePredictions], values: Array) -> Array | None:
    """The words of the classes, from a fold that says the same of the row."""
    if first.labels is None:
        return None
    labels = first.labels.astype(object)
    for one in said:
        agrees = one.values.reshape(len(values), -1)[:, 0] == values.reshape(len(values), -1)[:, 0]
        labels[agrees] = one.labels[agrees] if one.labels is not None else labels[agrees]
    return labels.astype(str)


def _spread(values: Array) -> Array:
    """(folds, …) → (…): the sample standard deviation; 0 of a single fold."""
    return values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1:], values.dtype)
