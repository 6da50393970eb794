"""Catalog entries of torchmetrics' metric classes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module

from runexp.catalog.docstrings import first_sentence
from runexp.catalog.entry import Entry
from runexp.runtime.catalog.signatures import (
    described_parameters,
    named_parameters,
    takes_any_keyword,
    typed_by_default,
)

torchmetrics = import_module("torchmetrics")  # not a dependency: type checkers need not find it


def torchmetrics_entries() -> Iterator[Entry]:
    """Every public metric class."""
    for name in sorted(set(torchmetrics.__all__)):
        metric = getattr(torchmetrics, name)
        if (
            inspect.isclass(metric)
            and issubclass(metric, torchmetrics.Metric)
            and metric is not torchmetrics.Metric
        ):
            yield _metric(name, metric)


def _metric(name: str, metric: type) -> Entry:
    # Task-dispatching classes (Accuracy …) are made by `__new__`, the others by `__init__`.
    dispatches = "__new__" in vars(metric)
    make = metric.__new__ if dispatches else metric.__init__  # type: ignore[misc]  # only its signature is read
    parameters = {key: found for key, found in named_parameters(make).items() if key != "cls"}
    return Entry(
        name=f"torchmetrics.{name}",
        target=f"torchmetrics:{name}",
        kind="metric",
        summary=first_sentence(metric.__doc__),
        parameters=tuple(
            typed_by_default(found) for found in described_parameters(parameters, metric.__doc__)
        ),
        accepts_any=takes_any_keyword(make),
        traits={"streams": True, "higher_is_better": getattr(metric, "higher_is_better", None)},
    )
