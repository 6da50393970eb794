"""Catalog entries of scikit-learn: estimators, transforms, metrics, splitters and bundled data."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from sklearn import datasets, model_selection
from sklearn.base import ClassifierMixin, ClusterMixin, OutlierMixin, RegressorMixin, TransformerMixin
from sklearn.utils.discovery import all_estimators

from runexp.catalog.docstrings import first_sentence
from runexp.catalog.entry import Entry, Json, Parameter, Range
from runexp.runtime.catalog.signatures import (
    described_parameters,
    named_parameters,
    takes_any_keyword,
    typed_by_default,
)
from runexp.runtime.catalog.sklearn_constraints import constrained
from runexp.runtime.catalog.sklearn_metrics import constrained_parameters, metric_entries

# They cannot be imported before `sklearn.experimental` has switched them on.
_EXPERIMENTAL = {"HalvingGridSearchCV", "HalvingRandomSearchCV", "IterativeImputer"}
_METHODS = (
    "transform",
    "inverse_transform",
    "predict",
    "predict_proba",
    "decision_function",
    "score_samples",
    "partial_fit",
    "fit_predict",
)
_ROLES = {
    "classifier": ClassifierMixin,
    "regressor": RegressorMixin,
    "clusterer": ClusterMixin,
    "outlier_detector": OutlierMixin,
    "transformer": TransformerMixin,
}
_SIZE = (("int", "float", "none"), (Range("int", 1), Range("float", 0, 1, False, False)))
_SPLITTING: dict[str, tuple[tuple[str, ...], tuple[Range, ...]]] = {
    "n_splits": (("int",), (Range("int", 1),)),
    "n_repeats": (("int",), (Range("int", 1),)),
    "n_groups": (("int",), (Range("int", 1),)),
    "p": (("int",), (Range("int", 1),)),
    "gap": (("int",), (Range("int", 0),)),
    "max_train_size": (("int", "none"), (Range("int", 1),)),
    "random_state": (("int", "none"), (Range("int", 0, 2**32 - 1),)),
    "test_fold": (("list",), ()),
    "test_size": _SIZE,
    "train_size": _SIZE,
}
_BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")
_MADE = (
    "blobs",
    "circles",
    "classification",
    "friedman1",
    "friedman2",
    "friedman3",
    "gaussian_quantiles",
    "hastie_10_2",
    "moons",
    "multilabel_classification",
    "regression",
    "s_curve",
    "sparse_uncorrelated",
    "swiss_roll",
)
_MADE_VALUES = {
    "friedman1",
    "friedman2",
    "friedman3",
    "regression",
    "s_curve",
    "sparse_uncorrelated",
    "swiss_roll",
}


def sklearn_entries() -> Iterator[Entry]:
    """Everything of scikit-learn that a spec can name."""
    for name, estimator in all_estimators():
        if name not in _EXPERIMENTAL and not name.startswith("_"):
            yield _estimator(estimator)
    yield from metric_entries()
    for splitter in vars(model_selection).values():
        if _is_splitter(splitter):
            yield _splitter(splitter)
    for name in _BUNDLED:
        yield _bundled(name)
    for name in _MADE:
        yield _made(name)


def _estimator(estimator: Any) -> Entry:  # noqa: ANN401 - a class with scikit-learn's private attributes
    package = _public_package(estimator)
    constraints = getattr(estimator, "_parameter_constraints", {})
    methods = [name for name in _METHODS if hasattr(estimator, name)]
    predicts = "predict" in methods or "fit_predict" in methods
    traits: dict[str, Json] = {"methods": list(methods), **_roles(estimator)}
    return Entry(
        name=f"{package}.{estimator.__name__}",
        target=f"{package}:{estimator.__name__}",
        kind="transform" if "transform" in methods and not predicts else "estimator",
        summary=first_sentence(estimator.__doc__),
        parameters=tuple(
            constrained(parameter, constraints.get(parameter.name)) for parameter in _class_parameters(estimator)
        ),
        traits=traits,
    )


def _public_package(estimator: type) -> str:
    """The shortest public module that has the class under its own name."""
    parts = estimator.__module__.split(".")
    for length in range(2, len(parts) + 1):
        package = ".".join(parts[:length])
        if getattr(import_module(package), estimator.__name__, None) is estimator:
            return package
    raise LookupError(f"no module of scikit-learn has {estimator.__qualname__}")


def _roles(estimator: type) -> dict[str, Json]:
    """What it is and, where one can be made without arguments, whether it needs a target and takes NaN."""
    roles = [role for role, mixin in _ROLES.items() if issubclass(estimator, mixin)]
    traits: dict[str, Json] = {"roles": list(roles)}
    try:
        tags = estimator().__sklearn_tags__()
    except (TypeError, AttributeError):
        return {**traits, "meta": True}
    if tags.target_tags.required:
        traits["needs_target"] = True
    if tags.input_tags.allow_nan:
        traits["allows_nan"] = True
    return traits


def _class_parameters(made: Any) -> tuple[Parameter, ...]:  # noqa: ANN401
    return described_parameters(named_parameters(made), made.__doc__)


def _splitter(splitter: Any) -> Entry:  # noqa: ANN401
    return Entry(
        name=f"sklearn.model_selection.{splitter.__name__}",
        target=f"sklearn.model_selection:{splitter.__name__}",
        kind="splitter",
        summary=first_sentence(splitter.__doc__),
        parameters=tuple(_splitting(parameter) for parameter in _class_parameters(splitter)),
        accepts_any=takes_any_keyword(splitter),
        traits={"by_group": "Group" in splitter.__name__, "stratified": "Stratified" in splitter.__name__},
    )


def _is_splitter(found: object) -> bool:
    if not inspect.isclass(found) or found.__name__.startswith("Base"):
        return False
    return hasattr(found, "split") and hasattr(found, "get_n_splits")


def _splitting(parameter: Parameter) -> Parameter:
    """Splitters check their arguments by hand, so their types are written down here."""
    types, ranges = _SPLITTING.get(parameter.name, (parameter.types, ()))
    return typed_by_default(dataclasses.replace(parameter, types=types, ranges=ranges))


def _bundled(name: str) -> Entry:
    """A data set that comes with scikit-learn: its columns are known without loading it."""
    load = getattr(datasets, f"load_{name}")
    table = load()
    columns: list[Json] = [str(column) for column in table.feature_names]
    targets = [str(target) for target in table.target_names] if table.target.ndim == 2 else ["target"]
    classes = len(table.target_names) if hasattr(table, "target_names") and table.target.ndim == 1 else 0
    traits: dict[str, Json] = {"columns": columns, "targets": list(targets), "n_rows": len(table.data)}
    if classes:
        traits["n_classes"] = classes
    return _data(f"load_{name}", {**traits, "target": "class" if classes else "value"})


def _made(name: str) -> Entry:
    return _data(f"make_{name}", {"made": True, "target": "value" if name in _MADE_VALUES else "class"})


def _data(name: str, traits: dict[str, Json]) -> Entry:
    function = getattr(datasets, name)
    return Entry(
        name=f"sklearn.datasets.{name}",
        target=f"sklearn.datasets:{name}",
        kind="dataset",
        summary=first_sentence(function.__doc__),
        parameters=constrained_parameters(function),
        traits=traits,
    )
