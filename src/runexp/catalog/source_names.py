"""What a module or class body defines, imports and assigns, read from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Definition: TypeAlias = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

_BLOCKS = (ast.If, ast.Try, ast.With, ast.For, ast.While)


@dataclass(frozen=True, slots=True)
class Import:
    """`from <module> import <attribute>`, with the number of leading dots."""

    module: str
    attribute: str
    level: int


@dataclass(slots=True)
class Names:
    """Names by what they are bound to; `opaque` ones are bound in a way that reading cannot tell."""

    definitions: dict[str, Definition] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)
    opaque: set[str] = field(default_factory=set)
    open_ended: bool = False  # `import *` or `__getattr__`: other names may exist


def names_of(body: Sequence[ast.stmt]) -> Names:
    """Collect the names that a body binds, also inside `if`, `try` and the like."""
    names = Names()
    for statement, conditional in _statements(body, conditional=False):
        match statement:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                _define(names, statement, conditional=conditional)
            case ast.ImportFrom():
                _import(names, statement)
            case ast.Import():
                names.opaque |= {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
            case _:
                names.opaque |= _bound(statement)
    names.open_ended = names.open_ended or "__getattr__" in names.definitions
    for name in names.opaque:
        names.definitions.pop(name, None)
        names.imports.pop(name, None)
    return names


def _statements(body: Sequence[ast.stmt], *, conditional: bool) -> Iterator[tuple[ast.stmt, bool]]:
    for statement in body:
        yield statement, conditional
        if isinstance(statement, _BLOCKS):
            for block in _blocks(statement):
                yield from _statements(block, conditional=True)


def _blocks(statement: ast.stmt) -> Iterator[Sequence[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        yield getattr(statement, name, ())
    for handler in getattr(statement, "handlers", ()):
        yield handler.body


def _define(names: Names, definition: Definition, *, conditional: bool) -> None:
    """A later definition replaces an earlier one, unless which of them counts depends on something."""
    name = definition.name
    if name in names.imports or (conditional and name in names.definitions):
        names.opaque.add(name)
    names.definitions[name] = definition


def _import(names: Names, statement: ast.ImportFrom) -> None:
    for alias in statement.names:
        name = alias.asname or alias.name
        names.open_ended = names.open_ended or name == "*"
        if name in names.imports or name in names.definitions:
            names.opaque.add(name)
        names.imports[name] = Import(statement.module or "", alias.name, statement.level)


def _bound(statement: ast.stmt) -> set[str]:
    """Names that the statement itself assigns or deletes; what stands in its blocks comes on its own."""
    parts = [part for part in ast.iter_child_nodes(statement) if not isinstance(part, ast.stmt)]
    return {
        node.id
        for part in parts
        if not isinstance(part, ast.ExceptHandler)
        for node in ast.walk(part)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }
