"""Plain immutable values of a plan: they compare, hash, serialise and diff."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from runexp.diagnostics import Span
from runexp.records import dataclass

COUNT = re.compile(r"\$\{classes:([^.}]+)\.([^}]+)\}")
"""An argument that the data give: how many classes or tokens a key (feature set, name) has."""


class FrozenMap(Mapping[str, Any]):
    """An immutable, hashable mapping that keeps its order."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Mapping[str, Any] | Sequence[tuple[str, Any]] = ()) -> None:
        items = pairs.items() if isinstance(pairs, Mapping) else pairs
        self._pairs = tuple((key, freeze(value)) for key, value in items)

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - values of any plain kind
        for name, value in self._pairs:
            if name == key:
                return value
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __eq__(self, other: object) -> bool:
        return dict(self) == dict(other) if isinstance(other, Mapping) else NotImplemented

    def __repr__(self) -> str:
        return repr(dict(self))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an item of the plan was written: its address in the spec and its place in a file."""

    path: str
    span: Span

    def __str__(self) -> str:
        return f"`{self.path}` ({self.span.file}:{self.span.line})"


@dataclass(frozen=True, slots=True)
class Code:
    """Code that is not the catalog's own: who lets it run, and where the spec names it.

    `imports` is the user's, allowed by the section of that name; `plugin` an installed package's, by its entry point.
    """

    by: Literal["imports", "plugin"]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Call:
    """Something made from the catalog: what was written, where it is found, its keyword arguments.

    `target` is `module:qualname`; `fixed` are arguments that the short name implies (`f1_macro` → average);
    `tensors` names the arguments that are lists here and tensors there; `code` says where it is not the catalog's.
    """

    name: str
    target: str
    arguments: FrozenMap = field(default_factory=FrozenMap)
    fixed: FrozenMap = field(default_factory=FrozenMap)
    tensors: tuple[str, ...] = ()
    code: Code | None = None


def freeze(value: Any) -> Any:  # noqa: ANN401 - values of any plain kind
    """A hashable copy of plain data: mappings and lists become immutable."""
    if isinstance(value, FrozenMap):
        return value
    if isinstance(value, Mapping):
        return FrozenMap(value)
    if isinstance(value, (list, tuple)):
        return tuple(freeze(item) for item in value)
    return value


def thaw(value: Any) -> Any:  # noqa: ANN401 - values of any plain kind
    """The plain dicts and lists of a frozen value."""
    if isinstance(value, Mapping):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [thaw(item) for item in value]
    return value
