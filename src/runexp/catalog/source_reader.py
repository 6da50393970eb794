"""Parameters of a user's class or function, read from its source: nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TypeAlias

from runexp.catalog.docstrings import first_sentence
from runexp.catalog.entry import Entry
from runexp.catalog.source_names import Definition, Import, Names, names_of
from runexp.catalog.source_search import find_module, read_source
from runexp.catalog.source_signature import Signature, class_signature, function_signature
from runexp.diagnostics import did_you_mean
from runexp.records import dataclass

_MOST_REEXPORTS = 5


@dataclass(frozen=True, slots=True)
class SignatureProblem:
    """Why a name cannot be what was asked for; `file` is the source that was read, if it came to that.

    Codes: invalid-target, unknown-module, unreadable-module, unknown-attribute. `line` and `column` count from 1;
    0 where no place in the file is to blame.
    """

    code: str
    message: str
    help: str = ""
    file: str = ""
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A class or function where it is defined: its syntax tree, the names around it, its module and file."""

    definition: Definition
    names: Names
    module: str
    file: str


Answer: TypeAlias = Found | SignatureProblem | None


def read_signature(target: str, roots: Sequence[Path]) -> Entry | SignatureProblem | None:
    """The entry (kind `user`) of `package.module:attribute` or `package.module.attribute`.

    None where the source cannot tell: compiled modules, names made at run time. An entry whose signature
    cannot be known (a decorated class, a base class from elsewhere) takes any argument.
    """
    found = find_definition(target, roots)
    return entry_of(target, signature_of(found)) if isinstance(found, Found) else found


def find_definition(target: str, roots: Sequence[Path]) -> Answer:
    """The class or function of that name, where it is defined; None where the source cannot tell."""
    module, attribute = parts_of(target)
    if not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))):
        return SignatureProblem("invalid-target", f"`{target}` is not of the form `package.module:attribute`")
    return _read(module, attribute, tuple(roots), _MOST_REEXPORTS)


def parts_of(target: str) -> tuple[str, str]:
    """Module and attribute of `package.module:attribute` or `package.module.attribute`."""
    module, colon, attribute = target.partition(":")
    if not colon:
        module, _, attribute = target.rpartition(".")
    return module, attribute


def entry_of(target: str, signature: Signature) -> Entry:
    """The entry (kind `user`) of what has that signature."""
    module, attribute = parts_of(target)
    return Entry(
        name=f"{module}.{attribute}",
        target=f"{module}:{attribute}",
        kind="user",
        summary=first_sentence(signature.docstring),
        parameters=signature.parameters,
        accepts_any=signature.accepts_any,
    )


def signature_of(found: Found) -> Signature:
    """What a class or function takes."""
    if isinstance(found.definition, ast.ClassDef):
        return class_signature(found.definition, found.names.definitions)
    return function_signature(found.definition)


def _read(module: str, attribute: str, roots: tuple[Path, ...], n_hops: int) -> Answer:
    spec = find_module(module, roots)
    if spec is None:
        return SignatureProblem("unknown-module", f"there is no module `{module}`")
    source = read_source(spec)
    if source is None:
        return None
    file = spec.origin or ""
    try:
        names = names_of(ast.parse(source, file).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return _unreadable(module, file, error)
    first, _, inner = attribute.partition(".")
    while inner and isinstance(outer := names.definitions.get(first), ast.ClassDef):
        names = names_of(outer.body)
        first, _, inner = inner.partition(".")
    if first in names.imports and n_hops > 0:
        return _follow(module, spec, names.imports[first], roots, n_hops)
    if inner or first in names.opaque or first in names.imports:
        return None
    if first in names.definitions:
        return Found(names.definitions[first], names, module, file)
    return None if names.open_ended else _unknown_attribute(module, first, names, file)


def _follow(module: str, spec: ModuleSpec, found: Import, roots: tuple[Path, ...], n_hops: int) -> Answer:
    """Read a name where it was imported from; a submodule, or a module out of sight, cannot tell."""
    package = module if spec.submodule_search_locations is not None else module.rpartition(".")[0]
    parts = package.split(".") if found.level else []
    parts = parts[: len(parts) - found.level + 1] if found.level else parts
    source = ".".join([*parts, *([found.module] if found.module else [])])
    if not source or found.level > len(package.split(".")):
        return None
    answer = _read(source, found.attribute, roots, n_hops - 1)
    return None if isinstance(answer, SignatureProblem) else answer


def _unreadable(module: str, file: str, error: Exception) -> SignatureProblem:
    told = error.msg if isinstance(error, SyntaxError) else str(error)
    line = (error.lineno or 0) if isinstance(error, SyntaxError) else 0
    column = (error.offset or 1) if isinstance(error, SyntaxError) else 0
    message = f"`{module}` is not valid Python: {told}"
    return SignatureProblem("unreadable-module", message, file=file, line=line, column=max(column, 1))


def _unknown_attribute(module: str, name: str, names: Names, file: str) -> SignatureProblem:
    known = sorted(known for known in names.definitions if not known.startswith("_"))
    message = f"module `{module}` has no `{name}`"
    return SignatureProblem("unknown-attribute", message, did_you_mean(name, known), file)
