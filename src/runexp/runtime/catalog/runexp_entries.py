"""Catalog entries of what is runexp's own: networks and callbacks."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator

from torch import nn

from runexp.catalog.docstrings import first_sentence
from runexp.catalog.entry import Entry, Json, Parameter, Range
from runexp.runtime import modules
from runexp.runtime.catalog import torch_tables
from runexp.runtime.catalog.callback_entries import callback_entries
from runexp.runtime.catalog.signatures import described_parameters, named_parameters

_RANGES = {
    **torch_tables.MODULE_RANGES,
    **dict.fromkeys(("vocab_size", "block_size", "max_steps", "pool", "size", "width"), Range("int", 1)),
}
_LAYOUTS = {"CNN1d": "NCL", "CNN2d": "NCHW"}


def runexp_entries() -> Iterator[Entry]:
    """Everything of runexp's own that a spec can name as a node or a callback."""
    for name in modules.__all__:
        yield _module(getattr(modules, name))
    yield from callback_entries()


def _module(module: type[nn.Module]) -> Entry:
    parameters = described_parameters(named_parameters(module.__init__), inspect.getdoc(module))
    required = [parameter.name for parameter in parameters if parameter.required]
    inferred: dict[str, Json] = {name: list(place) for name, place in torch_tables.INFERRED.items() if name in required}
    traits: dict[str, Json] = {"inputs": ["inputs"]}
    traits |= {"infers": inferred} if inferred else {}
    traits |= {"layout": _LAYOUTS[module.__name__]} if module.__name__ in _LAYOUTS else {}
    return Entry(
        name=f"runexp.modules.{module.__name__}",
        target=f"{module.__module__}:{module.__name__}",
        kind="module",
        summary=first_sentence(module.__doc__),
        parameters=tuple(_limited(item) for item in parameters),
        traits=traits,
    )


def _limited(parameter: Parameter) -> Parameter:
    span = _RANGES.get(parameter.name)
    return dataclasses.replace(parameter, ranges=(span,)) if span else parameter
