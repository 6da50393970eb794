"""Catalog entries of torchmetrics' metric classes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module

from runexp.catalog.docstrings import first_sentence
from runexp.catalog.entry import Entry, Json, Parameter
from runexp.runtime.catalog.signatures import (
    described_parameters,
    named_parameters,
    takes_any_keyword,
    typed_by_default,
)

torchmetrics = import_module("torchmetrics")  # not a dependency: type checkers need not find it

# What every metric takes through its `**kwargs`.
_SHARED = (
    Parameter("compute_on_cpu", default=False, default_text="False", types=("bool",)),
    Parameter("dist_sync_on_step", default=False, default_text="False", types=("bool",)),
    Parameter("process_group", default_text="None"),
    Parameter("dist_sync_fn", default_text="None", types=("callable", "none")),
    Parameter("distributed_available_fn", default_text="None", types=("callable", "none")),
    Parameter("sync_on_compute", default=True, default_text="True", types=("bool",)),
    Parameter("compute_with_cache", default=True, default_text="True", types=("bool",)),
)


def torchmetrics_entries() -> Iterator[Entry]:
    """Every public metric class."""
    for name in sorted(set(torchmetrics.__all__)):
        metric = getattr(torchmetrics, name)
        if _is_metric(metric) and metric.__qualname__ == name:  # deprecated ones hide behind another name
            yield _metric(name, metric)


def _is_metric(found: object) -> bool:
    return inspect.isclass(found) and issubclass(found, torchmetrics.Metric) and found is not torchmetrics.Metric


def _metric(name: str, metric: type) -> Entry:
    # Task-dispatching classes (Accuracy …) are made by `__new__`, the others by `__init__`.
    dispatches = "__new__" in vars(metric)
    make = metric.__new__ if dispatches else metric.__init__  # type: ignore[misc]  # only its signature is read
    parameters = {key: found for key, found in named_parameters(make).items() if key != "cls"}
    described = described_parameters(parameters, metric.__doc__)
    return Entry(
        name=f"torchmetrics.{name}",
        target=f"torchmetrics:{name}",
        kind="metric",
        summary=first_sentence(metric.__doc__),
        parameters=(*map(typed_by_default, described), *(_SHARED if dispatches else ())),
        accepts_any=takes_any_keyword(make) and not dispatches,
        traits={"streams": True, **_direction(getattr(torchmetrics.classification, f"Binary{name}", metric))},
    )


def _direction(metric: type) -> dict[str, Json]:
    """Which way is better, where the class says so; for some it depends on their arguments."""
    direction = getattr(metric, "higher_is_better", None)
    return {"higher_is_better": direction} if isinstance(direction, bool) else {}
