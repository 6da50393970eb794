"""What code of the user's is, read from its source: a class or a function, how it is made, and how it is called."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from runexp.catalog.entry import Entry
from runexp.catalog.lookup import lookup
from runexp.catalog.source_names import Names
from runexp.catalog.source_reader import Found, SignatureProblem, entry_of, find_definition, signature_of
from runexp.catalog.source_search import find_module
from runexp.records import dataclass

INFERRED = frozenset(
    {
        "in_features", "in1_features", "input_size", "embed_dim", "d_model", "normalized_shape", "in_channels",
        "num_features", "num_channels",
    }
)  # fmt: skip
"""Parameters of a module that the runtime reads off its first input where they are left out."""


@dataclass(frozen=True, slots=True)
class CallShape:
    """How a function is called: names that may come by position, those that must come, and whether others may."""

    positional: tuple[str, ...]
    required: frozenset[str]
    keywords: frozenset[str]
    takes_more: bool
    takes_any: bool


@dataclass(frozen=True, slots=True)
class OwnCode:
    """A class or function of the user's. `call` is None where its source does not tell how it is called.

    Of a class, `methods` are those of itself and of the bases in its file, `ancestors` the dotted names of the others.
    """

    entry: Entry
    is_class: bool
    call: CallShape | None
    methods: Mapping[str, CallShape | None]
    ancestors: tuple[str, ...]

    @property
    def is_estimator(self) -> bool:
        """Whether it is fitted in closed form: it has `fit`, itself or from scikit-learn, and no `forward`."""
        from_library = any(name.startswith("sklearn.") for name in self.ancestors)
        return self.is_class and "forward" not in self.methods and (from_library or "fit" in self.methods)

    @property
    def all_methods(self) -> tuple[str, ...]:
        """The methods that can be known, those of bases in the catalog too; empty where a base is out of sight."""
        known = [lookup(name, ("estimator", "transform")) for name in self.ancestors]
        inherited = [method for entry in known if entry for method in entry.words("methods")]
        is_whole = all(
            entry or name.startswith("sklearn.base.") for name, entry in zip(self.ancestors, known, strict=True)
        )
        return tuple(dict.fromkeys((*self.methods, *inherited))) if is_whole else ()


def read_own(target: str, roots: Sequence[Path]) -> OwnCode | SignatureProblem | None:
    """Read a class or function of the user's; None where the source cannot tell. Nothing is imported."""
    found = find_definition(target, roots)
    if not isinstance(found, Found):
        return found
    entry = entry_of(target, signature_of(found))
    definition = found.definition
    if not isinstance(definition, ast.ClassDef):
        return OwnCode(entry, False, _shape(definition), {}, ())
    lineage = list(_lineage(definition, found.names))
    methods = {
        part.name: _shape(part, is_method=True)
        for one in reversed(lineage)
        for part in one.body
        if isinstance(part, ast.FunctionDef)
    }
    outside = (name for one in lineage for name in _outside(one, found.names))
    return OwnCode(entry, True, None, methods, tuple(dict.fromkeys(outside)))


def find_own(prefix: str, roots: Sequence[Path]) -> str:
    """The file of a module, or the folder of a package; empty where there is none. Nothing is imported."""
    spec = find_module(prefix, roots)
    if spec is None:
        return ""
    folders = list(spec.submodule_search_locations or ())
    return str(folders[0]) if folders else spec.origin or ""


def adapted(own: OwnCode, kind: str) -> Entry:
    """The entry of code of the user's that is used as something of that kind."""
    infers = [item.name for item in own.entry.parameters if item.name in INFERRED] if kind == "module" else []
    return replace(own.entry, kind=kind, traits={"user": True, "methods": list(own.all_methods), "infers": infers})


def _lineage(definition: ast.ClassDef, names: Names) -> Iterator[ast.ClassDef]:
    """A class, then its bases in the same file, each once."""
    waiting, seen = [definition], set()
    while waiting:
        one = waiting.pop(0)
        if one.name in seen:
            continue
        seen.add(one.name)
        yield one
        bases = (names.definitions.get(ast.unparse(base)) for base in one.bases)
        waiting += [base for base in bases if isinstance(base, ast.ClassDef)]


def _outside(one: ast.ClassDef, names: Names) -> Iterator[str]:
    """The dotted names of bases that are defined elsewhere, as far as imports tell them."""
    for base in one.bases:
        written = ast.unparse(base)
        first, _, rest = written.partition(".")
        found = names.imports.get(first)
        if written in names.definitions or written == "object":
            continue
        home = f"{found.module}.{found.attribute}" if found and not found.level else first
        yield f"{home}.{rest}" if rest else home


def _shape(function: ast.FunctionDef | ast.AsyncFunctionDef, *, is_method: bool = False) -> CallShape | None:
    """None for a decorated function, since what it is called with may differ."""
    if function.decorator_list:
        return None
    taken = function.args
    names = [item.arg for item in (*taken.posonlyargs, *taken.args)]
    required = names[: len(names) - len(taken.defaults)]
    skip = 1 if is_method else 0
    keyword_only = [item.arg for item in taken.kwonlyargs]
    asked = [name for name, default in zip(keyword_only, taken.kw_defaults, strict=True) if default is None]
    by_name = [item.arg for item in taken.args]
    return CallShape(
        positional=tuple(names[skip:]),
        required=frozenset((*required[skip:], *asked)),
        keywords=frozenset((*by_name, *keyword_only)) - frozenset(names[:skip]),
        takes_more=taken.vararg is not None,
        takes_any=taken.kwarg is not None,
    )
