"""What can be learned of rows that stream by, known by the names of transformers."""

from __future__ import annotations

from runexp.plan.values import Call

STATELESS = frozenset({"Binarizer", "FunctionTransformer", "Normalizer", "PolynomialFeatures"})
"""Transformers that learn nothing but the number of columns."""

CODERS = frozenset({"OrdinalEncoder", "OneHotEncoder"})
"""Transformers that learn the categories there are."""

COUNTING = ("min_frequency", "max_categories")
"""Parameters of coders for which categories have to be counted."""


def class_of(call: Call) -> str:
    """The name of the class that a call makes."""
    return call.target.rpartition(":")[2].rpartition(".")[2]


def is_learned_by_rows(call: Call) -> bool:
    """Whether a transformer without `partial_fit` can be fitted on rows as they come."""
    name = class_of(call)
    return name in STATELESS or (name in CODERS and all(call.arguments.get(key) is None for key in COUNTING))
