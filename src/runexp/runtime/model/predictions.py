"""What a model says of rows: values in the target's own units, classes by their names, probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from runexp.plan.judged import Judged
from runexp.runtime.data import FeatureSet
from runexp.runtime.data.table import Array
from runexp.runtime.data.tabular import to_frame
from runexp.runtime.metrics import predictions

_DECIDES = ("argmax", "logit", "probability")


@dataclass(frozen=True, slots=True, eq=False)
class NodePredictions:
    """What one node says.

    `values` (N, *shape) is its output, of a target that was transformed in the target's own units. Where the node
    decides between classes: `labels` (N,) as the target had them, words or numbers, and `probabilities` (N, K) of
    `classes`; of two classes told by one number, both. Otherwise these are None and empty. Of several models asked
    together, `spread` says how far they are apart, see `Ensemble`. Of a model of language `given` (N,) is the
    probability that each token had from what stands before it, NaN where nothing does; the rest is about what follows.
    """

    node: str
    values: Array
    labels: Array | None = None
    probabilities: Array | None = None
    classes: tuple[str, ...] = ()
    spread: Array | None = None
    given: Array | None = None

    @property
    def perplexity(self) -> float | None:
        """Of a model of language how surprised it is by the text; None of others, and of a single token."""
        surprise, n_tokens = self.surprise
        return float(np.exp(surprise / n_tokens)) if n_tokens else None

    @property
    def surprise(self) -> tuple[float, int]:
        """The sum of the negative logarithms of what tokens were given, and of how many; of other models 0 of none."""
        given = np.zeros(0) if self.given is None else self.given[~np.isnan(self.given)]
        with np.errstate(divide="ignore"):
            return float(-np.log(given).sum()), len(given)

    def columns(self) -> Iterator[tuple[str, Array]]:
        """Flat columns by name: `head.class`, `head.probability.0`; otherwise `head`, or `head.0` and so on. After
        them `head.spread`, or `head.spread.0` and so on."""
        yield from self._said()
        if self.spread is not None:
            yield from _flat(f"{self.node}.spread", self.spread)

    def _said(self) -> Iterator[tuple[str, Array]]:
        if self.given is not None and self.labels is not None:
            yield f"{self.node}.probability", np.ma.masked_invalid(self.given)
            yield f"{self.node}.next", self.labels
            return
        if self.labels is not None and self.labels.ndim == 1:
            yield f"{self.node}.class", self.labels
            for index, name in enumerate(self.classes):
                if self.probabilities is not None:
                    yield f"{self.node}.probability.{name}", self.probabilities[:, index]
            return
        yield from _flat(self.node, self.values)


class Predictions(Mapping[str, NodePredictions]):
    """What every node that was asked says of the rows, by its name.

    `lines` says what each prediction is about where that is not simply the row of the table at its place: `row`, from
    0, the last of a window, and of a text the `token` there.
    """

    def __init__(self, nodes: Mapping[str, NodePredictions], lines: Mapping[str, Array] | None = None) -> None:
        self._nodes = dict(nodes)
        self.lines = dict(lines or {})

    def __getitem__(self, node: str) -> NodePredictions:
        return self._nodes[node]

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __repr__(self) -> str:
        told = ", ".join(f"{name} {tuple(one.values.shape)}" for name, one in self._nodes.items())
        return f"Predictions({told})"

    @property
    def only(self) -> NodePredictions:
        """Those of the one node there is; `ValueError` where there are more."""
        if len(self) != 1:
            raise ValueError(f"there are {len(self)} nodes: {', '.join(self)}")
        return next(iter(self._nodes.values()))

    def to_arrow(self) -> Any:  # noqa: ANN401 - pyarrow has no types
        """Flat columns as an Arrow table, a row for each row of the input; of windows after `row`, and `token`."""
        columns = {name: values for one in self.values() for name, values in one.columns()}
        return pa.table({name: pa.array(values) for name, values in (self.lines | columns).items()})

    def to_pandas(self) -> Any:  # noqa: ANN401 - pandas is optional
        """The same as a data frame; `ImportError` where pandas is not installed."""
        return to_frame(self.to_arrow())


def _flat(name: str, values: Array) -> Iterator[tuple[str, Array]]:
    """(N, *shape) as a column, or one for each number of a row."""
    flat = values.reshape(len(values), -1)
    if flat.shape[1] == 1:
        yield name, flat[:, 0]
        return
    for index in range(flat.shape[1]):
        yield f"{name}.{index}", flat[:, index]


def said(node: str, output: torch.Tensor, judged: Judged | None, reference: FeatureSet | None) -> NodePredictions:
    """What a node's output means, by how it was judged; `reference` is the feature set of its target."""
    values = np.asarray(output.detach().cpu())
    if judged is None or judged.target is None or reference is None:
        return NodePredictions(node, values)
    key = judged.target[1]
    if judged.decision not in _DECIDES or values.ndim > 2:
        return _as_given(node, reference, key, values)
    codes = predictions(output, "labels", judged.decision)
    chances = predictions(output, "probabilities", judged.decision)
    if chances.ndim == 2 and chances.shape[1] > 1 and judged.decision != "argmax":  # several labels at once
        return NodePredictions(node, values, codes, chances)
    if chances.ndim == 1 or chances.shape[1] == 1:
        yes = chances.reshape(-1, 1)
        chances = np.concatenate([1 - yes, yes], axis=1)
    names = reference.classes(key)
    classes = names if len(names) == chances.shape[1] else tuple(str(index) for index in range(chances.shape[1]))
    codes = codes.reshape(-1)
    labels = np.asarray(names)[codes] if names and codes.max(initial=0) < len(names) else codes
    return NodePredictions(node, values, labels, chances, classes)


def _as_given(node: str, reference: FeatureSet, key: str, values: Array) -> NodePredictions:
    """Numbers in the target's own units; of codes that an estimator gives itself, the words they stand for."""
    names = reference.classes(key)
    if names and values.dtype.kind in "iu" and values.size == len(values) and values.max(initial=0) < len(names):
        return NodePredictions(node, values, np.asarray(names)[values.reshape(-1)])
    return NodePredictions(node, _own_units(reference, key, values))


def _own_units(reference: FeatureSet, key: str, values: Array) -> Array:
    """Predictions of a transformed target as it was read, where there is a way back."""
    is_like = values[:1].size == int(np.prod(reference.shape_of(key)))
    if not len(values) or key not in reference.transforms or not reference.can_go_back(key) or not is_like:
        return values
    return reference.inverse(key, values)
