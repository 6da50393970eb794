"""torchmetrics' metrics: states that grow with the chunks of a split, so that no output is kept for them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.graph import MetricPlan
from runexp.runtime.resolve import keyword_arguments, make, resolve

_SIZES = {"multiclass": "num_classes", "multilabel": "num_labels"}


class TorchMetric:
    """A metric of torchmetrics as a function of a split's targets and predictions, all at once or in chunks.

    How many classes or labels there are may be left out: the predictions tell.
    """

    def __init__(self, plan: MetricPlan) -> None:
        """Raises `SpecError` where torchmetrics is not installed, or has nothing of that name."""
        try:
            importlib.import_module("torchmetrics")
        except ImportError as error:
            message = f"`{plan.call.name}` is a metric of torchmetrics, which is not installed"
            hint = "`pip install 'runexp[metrics]'`"
            raise SpecError(
                [Diagnostic("unknown-use", message, plan.origin.span, help=hint, path=plan.origin.path)]
            ) from error
        self._call = plan.call
        self._given = keyword_arguments(plan.call, resolve(plan.call))
        self._metric: Any = None

    def __call__(self, target: NDArray[Any], predicted: NDArray[Any], **named: NDArray[Any]) -> float:
        """The metric of these rows alone."""
        self.clear()
        self.add(target, predicted, **named)
        return self.result()

    def add(self, target: NDArray[Any], predicted: NDArray[Any], **named: NDArray[Any]) -> None:
        """The next rows: targets, predictions, and what the metric takes by name beside them."""
        task = self._given.get("task")
        if task == "binary" and predicted.ndim == 2 and predicted.shape[1] == 2:
            predicted = predicted[:, 1]
        if self._metric is None:
            self._metric = self._made(task, predicted)
        tensors = {name: torch.as_tensor(np.ascontiguousarray(value)) for name, value in named.items()}
        wanted = torch.as_tensor(np.ascontiguousarray(target))
        self._metric.update(torch.as_tensor(np.ascontiguousarray(predicted)), wanted, **tensors)

    def result(self) -> float:
        """The metric of all rows since the last `clear`; `ValueError` where it is not one number."""
        value = self._metric.compute()
        if isinstance(value, Mapping) or torch.as_tensor(value).numel() != 1:
            raise ValueError("it gives several numbers, and a metric is one; an `average` may join them")
        return float(value)

    def clear(self) -> None:
        """Forget all rows."""
        if self._metric is not None:
            self._metric.reset()

    def _made(self, task: object, predicted: NDArray[Any]) -> Any:  # noqa: ANN401 - torchmetrics may be missing
        size = _SIZES.get(str(task), "")
        if not size or size in self._given or predicted.ndim < 2:
            return make(self._call)
        return resolve(self._call)(**self._given, **{size: predicted.shape[1]})


def is_of_torchmetrics(plan: MetricPlan) -> bool:
    """Whether the catalog's name leads to torchmetrics."""
    return plan.call.code is None and plan.call.target.startswith("torchmetrics")
