"""Syntax tree of a class or function → what it takes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace

from runexp.catalog.docstrings import parameter_summaries
from runexp.catalog.entry import Json, Parameter
from runexp.catalog.source_annotations import annotated
from runexp.catalog.source_names import Definition
from runexp.records import dataclass


@dataclass(frozen=True, slots=True)
class Signature:
    """What a class or function takes by keyword; `accepts_any` also where that cannot be known."""

    parameters: tuple[Parameter, ...]
    accepts_any: bool
    docstring: str = ""


def function_signature(function: ast.FunctionDef | ast.AsyncFunctionDef, *, skip: int = 0) -> Signature:
    """Parameters after the first `skip` ones; a decorated function takes anything, since they may differ."""
    docstring = ast.get_docstring(function) or ""
    if function.decorator_list:
        return Signature((), True, docstring)
    arguments = function.args
    named = arguments.args[max(skip - len(arguments.posonlyargs), 0) :]
    pairs = [
        *_with_defaults(arguments, named),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    summaries = parameter_summaries(docstring)
    parameters = tuple(_parameter(argument, default, summaries) for argument, default in pairs)
    return Signature(parameters, arguments.kwarg is not None, docstring)


def class_signature(defined: ast.ClassDef, scope: Mapping[str, Definition]) -> Signature:
    """Parameters of the class's `__init__`, of a dataclass's fields, or of the base in the same file."""
    docstring = ast.get_docstring(defined) or ""
    lineage = _lineage(defined, scope)
    unknown = Signature((), True, docstring)
    if lineage is None:
        return unknown
    for one in lineage:
        found = _own_signature(one, lineage)
        if found is not None:
            described = _described(found.parameters, parameter_summaries(docstring))
            return Signature(described, found.accepts_any, docstring)
    return unknown if defined.keywords else Signature((), False, docstring)


def _lineage(defined: ast.ClassDef, scope: Mapping[str, Definition]) -> list[ast.ClassDef] | None:
    """The class and its bases up to the one that says the signature; None where a base is out of sight."""
    lineage = [defined]
    while True:
        one = lineage[-1]
        if _unreadable(one):
            return None
        if _has_init(one) or not _bases(one):
            return lineage
        base = scope.get(_bases(one)[0])
        if len(one.bases) > 1 or not isinstance(base, ast.ClassDef) or base in lineage:
            return None
        lineage.append(base)


def _unreadable(defined: ast.ClassDef) -> bool:
    """Whether something else than `__init__` may decide what the class takes."""
    makes_itself = any(isinstance(part, ast.FunctionDef) and part.name == "__new__" for part in defined.body)
    return makes_itself or bool(defined.keywords) or any(not _is_dataclass(mark) for mark in defined.decorator_list)


def _bases(defined: ast.ClassDef) -> list[str]:
    return [ast.unparse(base) for base in defined.bases if ast.unparse(base) not in ("object", "Protocol", "ABC")]


def _has_init(defined: ast.ClassDef) -> bool:
    return _init_of(defined) is not None


def _init_of(defined: ast.ClassDef) -> ast.FunctionDef | None:
    functions = [part for part in defined.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
    return functions[-1] if functions else None


def _own_signature(defined: ast.ClassDef, lineage: list[ast.ClassDef]) -> Signature | None:
    init = _init_of(defined)
    if init is not None:
        return function_signature(init, skip=1)
    if not any(_is_dataclass(mark) for mark in defined.decorator_list):
        return None
    if any(_init_of(base) or not base.decorator_list for base in lineage[lineage.index(defined) :]):
        return Signature((), True)
    fields: dict[str, Parameter] = {}
    for base in reversed(lineage[lineage.index(defined) :]):
        fields |= {parameter.name: parameter for parameter in _fields(base)}
    return Signature(tuple(fields.values()), False)


def _is_dataclass(decorator: ast.expr) -> bool:
    if isinstance(decorator, ast.Call):
        turned_off = any(word.arg == "init" for word in decorator.keywords)
        return not turned_off and _is_dataclass(decorator.func)
    return ast.unparse(decorator) in ("dataclass", "dataclasses.dataclass")


def _fields(defined: ast.ClassDef) -> Iterator[Parameter]:
    for part in defined.body:
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            kind = ast.unparse(part.annotation)
            if "ClassVar" in kind or kind in ("KW_ONLY", "dataclasses.KW_ONLY") or _turned_off(part.value):
                continue
            yield _described_parameter(part.target.id, part.annotation, _field_default(part.value))


def _turned_off(value: ast.expr | None) -> bool:
    return any(word.arg == "init" and ast.unparse(word.value) == "False" for word in _field_words(value))


def _field_default(value: ast.expr | None) -> ast.expr | None:
    """The default in `field(…)`, or the value itself; reading cannot tell what a default factory makes."""
    words = {word.arg: word.value for word in _field_words(value)}
    if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("field"):
        return words.get("default", words.get("default_factory"))
    return value


def _field_words(value: ast.expr | None) -> list[ast.keyword]:
    is_field = isinstance(value, ast.Call) and ast.unparse(value.func) in ("field", "dataclasses.field")
    return value.keywords if is_field and isinstance(value, ast.Call) else []


def _with_defaults(arguments: ast.arguments, named: list[ast.arg]) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    n_without = len(named) - len(arguments.defaults)
    defaults = [*[None] * n_without, *arguments.defaults][-len(named) :] if named else []
    return zip(named, defaults, strict=True)


def _parameter(argument: ast.arg, default: ast.expr | None, summaries: Mapping[str, str]) -> Parameter:
    summary = summaries.get(argument.arg, "")
    return _described_parameter(argument.arg, argument.annotation, default, summary)


def _described_parameter(
    name: str, annotation: ast.expr | None, default: ast.expr | None, summary: str = ""
) -> Parameter:
    types, choices = annotated(annotation)
    value = _literal(default)
    text = "" if default is None else ast.unparse(default)
    if text == "None" and not {"any", "none"} & set(types):
        types = (*types, "none")
    return Parameter(name, default is None, value, text, types, choices, summary=summary)


def _literal(default: ast.expr | None) -> Json:
    if default is None:
        return None
    try:
        value = ast.literal_eval(default)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, bool | int | float | str | tuple | list) else None


def _described(parameters: tuple[Parameter, ...], summaries: Mapping[str, str]) -> tuple[Parameter, ...]:
    return tuple(
        parameter if parameter.summary else replace(parameter, summary=summaries.get(parameter.name, ""))
        for parameter in parameters
    )
