"""Fitted transformers as files: written with skops, and read back only where all they hold is trusted."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from runexp.runtime.data.feature_set import FeatureSet
from runexp.runtime.data.trees import TREE, check_trees

FOLDER = "artifacts/transforms"

# What scikit-learn's own transformers hold beyond the types that skops trusts by itself.
TRUSTED = frozenset(
    {
        *(
            f"sklearn.feature_selection._univariate_selection.{name}"
            for name in ("chi2", "f_classif", "f_regression", "r_regression")
        ),
        *(f"sklearn.feature_selection._mutual_info.mutual_info_{kind}" for kind in ("classif", "regression")),
        TREE,
        "numpy.dtype",
        "numpy.mean",
        "scipy._lib.array_api_compat.numpy._aliases.asarray",
        "scipy.interpolate._bsplines.BSpline",
    }
)


def transformer_files(sets: Iterable[FeatureSet]) -> Iterator[tuple[str, bytes]]:
    """The path in a run folder, `artifacts/transforms/<data>/<key>-<n>.skops`, and the content of every transformer.

    `n` counts from 0 in the order they are applied. What skops cannot write is a `.txt` that says so.
    """
    for features in sets:
        for key in features.transforms:
            for index, transformer in enumerate(features.transformers(key)):
                yield _file(f"{FOLDER}/{features.name}/{key}-{index}", transformer)


def load_transformer(path: Path) -> Any:  # noqa: ANN401 - any transformer
    """A fitted transformer or estimator from its file; `ValueError` where the file holds a type that is not trusted, or
    a tree that is damaged."""
    return loaded_transformer(path.read_bytes(), path.name)


def loaded_transformer(content: bytes, name: str) -> Any:  # noqa: ANN401 - any transformer
    """The same from the bytes of a file of that name."""
    foreign = set(_skops().get_untrusted_types(data=content)) - TRUSTED
    if foreign:
        raise ValueError(f"{name} holds types that are not trusted: {', '.join(sorted(foreign))}")
    loaded = _skops().loads(content, trusted=sorted(TRUSTED))
    check_trees(loaded)
    return loaded


def _file(path: str, transformer: Any) -> tuple[str, bytes]:  # noqa: ANN401 - any transformer
    try:
        return f"{path}.skops", _skops().dumps(transformer)
    except importlib.import_module("skops.io.exceptions").UnsupportedTypeException as error:
        return f"{path}.txt", f"{type(transformer).__name__} could not be kept: {error}\n".encode()


def _skops() -> Any:  # noqa: ANN401 - skops has no types
    """Imported only here: it takes half a second, which a run without transforms need not wait."""
    return importlib.import_module("skops.io")
