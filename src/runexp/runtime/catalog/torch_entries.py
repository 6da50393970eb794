"""Catalog entries of torch: modules, losses, optimizers and schedules."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler

from runexp.catalog.docstrings import first_sentence
from runexp.catalog.entry import Entry, Json, Parameter, Range
from runexp.runtime.catalog import torch_tables
from runexp.runtime.catalog.signatures import (
    described_parameters,
    named_parameters,
    public_overload,
    takes_any_keyword,
    typed_by_default,
)


def torch_entries() -> Iterator[Entry]:
    """Everything of torch that a spec can name."""
    for module in _classes(nn, nn.Module):
        yield _loss(module) if module.__name__ in torch_tables.LOSS_TRAITS else _module(module)
    for optimizer in _classes(torch.optim, torch.optim.Optimizer):
        yield _optimizer(optimizer)
    for scheduler in _classes(lr_scheduler, lr_scheduler.LRScheduler):
        yield _entry(scheduler, "schedule", lr_scheduler, {}, _schedule_traits(scheduler))


def _classes(package: ModuleType, base: type) -> Iterator[type]:
    for name, found in sorted(vars(package).items()):
        public = inspect.isclass(found) and found.__name__ == name and not name.startswith("_")
        if public and issubclass(found, base) and found is not base and name not in torch_tables.LEFT_OUT:
            yield found


def _module(module: type) -> Entry:
    dropout = "Dropout" in module.__name__
    ranges = torch_tables.DROPOUT_RANGES if dropout else torch_tables.MODULE_RANGES
    entry = _entry(module, "module", nn, ranges, {"inputs": _forward_inputs(module)})
    required = {parameter.name for parameter in entry.parameters if parameter.required}
    inferred = {name: list(place) for name, place in torch_tables.INFERRED.items() if name in required}
    hints: dict[str, Json] = {"infers": inferred, "layout": _layout(module, entry)}
    return dataclasses.replace(entry, traits={**entry.traits, **{key: hint for key, hint in hints.items() if hint}})


def _layout(module: type, entry: Entry) -> str:
    """Axes of what comes in: N batch, C channels, L length, T time, D H W space; empty where any will do."""
    if entry.parameter("batch_first"):
        return "TNC"  # NTC with batch_first
    if re.search("Pool|Conv|BatchNorm|InstanceNorm|Dropout|Upsampling|Pad", module.__name__):
        axes = {"1d": "NCL", "2d": "NCHW", "3d": "NCDHW"}
        return axes.get(module.__name__[-2:], "")
    return ""


def _loss(loss: type) -> Entry:
    inputs = _forward_inputs(loss)
    entry = _entry(loss, "loss", nn, torch_tables.MODULE_RANGES, {"inputs": inputs})
    reduces = entry.parameter("reduction") is not None
    known = torch_tables.LOSS_TRAITS[loss.__name__]
    return dataclasses.replace(entry, traits={**entry.traits, **known, "reduction": reduces})


def _optimizer(optimizer: type) -> Entry:
    needs_closure = optimizer is torch.optim.LBFGS
    traits: dict[str, Json] = {"needs_closure": True} if needs_closure else {}
    return _entry(optimizer, "optimizer", torch.optim, torch_tables.OPTIMIZER_RANGES, traits)


def _schedule_traits(scheduler: type) -> dict[str, Json]:
    return {"steps_on": "metric"} if scheduler is lr_scheduler.ReduceLROnPlateau else {}


def _entry(
    found: type, kind: str, package: ModuleType, ranges: Mapping[str, Range], traits: Mapping[str, Json]
) -> Entry:
    maker = _constructor(found)
    parameters = described_parameters(named_parameters(maker), inspect.getdoc(found)) if maker else ()
    return Entry(
        name=f"{package.__name__}.{found.__name__}",
        target=f"{package.__name__}:{found.__name__}",
        kind=kind,
        summary=first_sentence(found.__doc__),
        parameters=tuple(_limited(parameter, found, ranges) for parameter in parameters),
        accepts_any=found is nn.Identity,
        traits=traits,
    )


def _constructor(found: type) -> Callable[..., Any] | None:
    """What says the class's parameters; None where the only ones are those `nn.Module` refuses anyway."""
    make = found.__init__  # type: ignore[misc]  # only its signature is read
    if make is nn.Module.__init__:
        return None
    if issubclass(found, nn.RNNBase):
        return public_overload(make)
    return None if takes_any_keyword(make) else make


def _limited(parameter: Parameter, found: type, ranges: Mapping[str, Range]) -> Parameter:
    """Add the type, the range and the choices that torch checks only when it runs."""
    parameter = _counted(typed_by_default(parameter), ranges)
    choices = torch_tables.CHOICES.get(parameter.name, ())
    if found is nn.KLDivLoss and parameter.name == "reduction":
        choices = torch_tables.KLDIV_REDUCTIONS
    if choices and parameter.types == ("str",):
        parameter = dataclasses.replace(parameter, choices=choices)
    if {"int", "float"} & set(parameter.types) and parameter.name in ranges:
        parameter = dataclasses.replace(parameter, ranges=(ranges[parameter.name],))
    return parameter


def _counted(parameter: Parameter, ranges: Mapping[str, Range]) -> Parameter:
    """A count that is not annotated is a whole number."""
    counts = parameter.name in ranges and ranges[parameter.name].type == "int"
    if parameter.required and counts and parameter.types == ("any",):
        return dataclasses.replace(parameter, types=("int",))
    return parameter


def _forward_inputs(module: type) -> list[Json]:
    """Names of what `forward` needs; those that may be left out are not listed."""
    signature = inspect.signature(getattr(module, "forward"))  # noqa: B009 - `type` has no `forward`
    return [
        name
        for name, parameter in signature.parameters.items()
        if name != "self" and parameter.default is inspect.Parameter.empty
    ]
