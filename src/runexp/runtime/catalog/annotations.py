"""Type annotations → the catalog's words for what a parameter takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import torch

_WORDS: dict[object, str] = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    NoneType: "none",
    None: "none",
    tuple: "tuple",
    torch.Size: "tuple",
    torch.Tensor: "tensor",
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The words and values that one annotation allows."""

    types: tuple[str, ...]
    choices: tuple[Any, ...] = ()


ANYTHING = Accepted(("any",))


def accepted_by(annotation: Any) -> Accepted:  # noqa: ANN401 - annotations are of every type
    """Translate an annotation; what it does not understand allows anything."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return _joined([accepted_by(part) for part in get_args(annotation)])
    if origin is Literal:
        values = get_args(annotation)
        return Accepted(_unique(_WORDS[type(value)] for value in values), values)
    plain = origin or annotation
    if plain in _WORDS:
        return Accepted((_WORDS[plain],))
    return Accepted((_word_of_class(plain),))


def _word_of_class(plain: object) -> str:
    if plain is Callable:
        return "callable"
    if not inspect.isclass(plain) or plain is inspect.Parameter.empty:
        return "any"
    if issubclass(plain, torch.nn.Module):
        return "object"
    if issubclass(plain, Mapping):
        return "mapping"
    return "list" if issubclass(plain, Iterable) else "any"


def _joined(parts: list[Accepted]) -> Accepted:
    types = _unique(word for part in parts for word in part.types)
    if "any" in types:
        return ANYTHING
    return Accepted(types, tuple(choice for part in parts for choice in part.choices))


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
