"""Trees of scikit-learn read from a file: none may lead out of its own arrays, or round in a circle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

TREE = "sklearn.tree._tree.Tree"
"""Written in C, it follows the numbers in its arrays without a look."""
_LEAF = -1
_DEEPEST = 8


def check_trees(estimator: Any) -> None:  # noqa: ANN401 - any estimator
    """`ValueError` for an estimator with a tree that could not have been grown."""
    for tree, n_features in _trees(estimator, 0, 0):
        left, right = np.asarray(tree.children_left, np.int64), np.asarray(tree.children_right, np.int64)
        feature, here = np.asarray(tree.feature, np.int64), np.arange(len(left))
        is_fine = (left > here) & (right > here) & (left < len(here)) & (right < len(here))
        is_fine &= (feature >= 0) & (feature < n_features)
        if not len(here) or not is_fine[left != _LEAF].all():
            raise ValueError(f"a tree of `{type(estimator).__name__}` is damaged")


def _trees(value: Any, n_features: int, depth: int) -> Iterator[tuple[Any, int]]:  # noqa: ANN401 - any part
    """Every tree in an estimator and in those it is made of, with the number of columns that its owner takes."""
    if f"{type(value).__module__}.{type(value).__qualname__}" == TREE:
        yield value, n_features
    elif depth < _DEEPEST:
        width = vars(value).get("n_features_in_", 0) if hasattr(value, "get_params") else n_features
        for inner in _parts(value):
            yield from _trees(inner, width, depth + 1)


def _parts(value: Any) -> Iterator[Any]:  # noqa: ANN401 - any part of an estimator
    if isinstance(value, np.ndarray):
        yield from value.ravel() if value.dtype == object else ()
    elif isinstance(value, (list, tuple)):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()
    elif hasattr(value, "get_params"):
        yield from vars(value).values()
