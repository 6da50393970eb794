"""Coding categories with scikit-learn's encoders: a code for what is unknown, and where an unknown value stands."""

from __future__ import annotations

from typing import Any

import numpy as np

from runexp.plan.data import TransformPlan
from runexp.runtime.data.problems import shown, wrong
from runexp.runtime.data.table import Array


def prepare_coder(transformer: Any, fitted_rows: Array) -> Any:  # noqa: ANN401 - any transformer
    """The transformer; one that gives unknown values a code of their own gets the first that is free."""
    parameters = transformer.get_params(deep=False) if hasattr(transformer, "get_params") else {}
    if parameters.get("handle_unknown") == "use_encoded_value" and parameters.get("unknown_value") is None:
        n_codes = max((len(np.unique(column)) for column in fitted_rows.T), default=0)
        transformer.set_params(unknown_value=n_codes)
    return transformer


def check_known(name: str, transform: TransformPlan, transformer: Any, rows: Array) -> None:  # noqa: ANN401
    """`SpecError` with the first row (N, width) that has a category which the fitted rows have not."""
    categories = getattr(transformer, "categories_", None)
    if categories is None or transformer.get_params(deep=False).get("handle_unknown") != "error":
        return
    for known, column in zip(categories, rows.T, strict=True):
        is_known = np.isin(column, known.astype(column.dtype))
        if not is_known.all():
            row = int(np.argmin(is_known))
            message = (
                f"row {row} of {shown(name)} has the category {shown(column[row])}, "
                f"which no row of {shown(transform.fit_on)} has"
            )
            hint = "`unknown: other` gives such values a code of their own"
            raise wrong(transform.origin, "unknown-category", message, hint=hint)
