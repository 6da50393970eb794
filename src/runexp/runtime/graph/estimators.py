"""Scikit-learn estimators as nodes: arrays in, arrays out, tensors at the borders. Gradients stop here."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import Tensor

from runexp.plan.graph import NodePlan
from runexp.runtime.own_code import running
from runexp.runtime.resolve import keyword_arguments, resolve
from runexp.runtime.seeds import derive_seed


def make_estimator(plan: NodePlan, seed: int) -> BaseEstimator:
    """An unfitted estimator; a `random_state` that was left out comes from the experiment's seed."""
    call = plan.calls[0]
    make: Any = resolve(call)
    arguments = keyword_arguments(call, make)
    if "random_state" in inspect.signature(make).parameters and "random_state" not in arguments:
        arguments["random_state"] = derive_seed(seed, "node", plan.name) % 2**32
    with running(call):
        estimator: BaseEstimator = make(**arguments)
    return estimator


def as_matrix(inputs: Sequence[Tensor]) -> NDArray[Any]:
    """Inputs side by side, one row a sample: shape (rows, columns)."""
    flat = [np.asarray(value.detach().cpu()).reshape(len(value), -1) for value in inputs]
    return flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)


def apply(estimator: Any, method: str, inputs: Sequence[Tensor]) -> Tensor:  # noqa: ANN401 - scikit-learn is untyped
    """What `method` gives for these rows, as a tensor on their device; floats are float32."""
    if not hasattr(estimator, method):
        raise ValueError(f"`{type(estimator).__name__}` has no `{method}` here: say `method: predict` at the node")
    given = np.asarray(getattr(estimator, method)(as_matrix(inputs)))
    if given.dtype.kind == "f":
        given = given.astype(np.float32, copy=False)
    return torch.from_numpy(np.ascontiguousarray(given)).to(inputs[0].device)
