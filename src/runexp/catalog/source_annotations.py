"""Annotations as written → the catalog's words for what a parameter takes."""

from __future__ import annotations

import ast
from typing import TypeAlias

Choice: TypeAlias = bool | int | float | str | None
Accepted: TypeAlias = tuple[tuple[str, ...], tuple[Choice, ...]]

_ANYTHING: Accepted = (("any",), ())
_WORDS = {
    "bool": "bool",
    "int": "int",
    "float": "float",
    "str": "str",
    "None": "none",
    "list": "list",
    "List": "list",
    "Sequence": "list",
    "Iterable": "list",
    "set": "list",
    "tuple": "tuple",
    "Tuple": "tuple",
    "dict": "mapping",
    "Dict": "mapping",
    "Mapping": "mapping",
    "Callable": "callable",
    "Tensor": "tensor",
}


def annotated(annotation: ast.expr | None) -> Accepted:
    """Words and choices of an annotation; names it does not know allow anything."""
    match annotation:
        case ast.Constant(value=str() as text):
            return _quoted(text)
        case ast.Constant(value=None):
            return (("none",), ())
        case ast.BinOp(op=ast.BitOr()):
            return _joined(annotated(annotation.left), annotated(annotation.right))
        case ast.Subscript():
            return _subscripted(_last_name(annotation.value), annotation.slice)
        case ast.Name() | ast.Attribute():
            word = _WORDS.get(_last_name(annotation))
            return ((word,), ()) if word else _ANYTHING
    return _ANYTHING


def _quoted(text: str) -> Accepted:
    try:
        return annotated(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _ANYTHING


def _subscripted(name: str, inside: ast.expr) -> Accepted:
    parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
    if name == "Literal":
        return _literal(parts)
    if name == "Optional":
        return _joined(annotated(inside), (("none",), ()))
    if name == "Union":
        return _joined(*map(annotated, parts))
    if name in ("Annotated", "Final", "InitVar"):
        return annotated(parts[0])
    word = _WORDS.get(name)
    return ((word,), ()) if word else _ANYTHING


def _literal(parts: list[ast.expr]) -> Accepted:
    values = [part.value for part in parts if isinstance(part, ast.Constant)]
    words = {bool: "bool", int: "int", float: "float", str: "str", type(None): "none"}
    plain = [value for value in values if isinstance(value, bool | int | float | str | None)]
    if len(plain) != len(parts):
        return _ANYTHING
    return (tuple(dict.fromkeys(words[type(value)] for value in plain)), tuple(plain))


def _joined(*parts: Accepted) -> Accepted:
    """A word that is free in one part and limited to choices in another is free."""
    types = tuple(dict.fromkeys(word for words, _ in parts for word in words))
    free_text = any("str" in words and not choices for words, choices in parts)
    choices = tuple(choice for _, chosen in parts for choice in chosen)
    if "any" in types:
        return _ANYTHING
    return types, tuple(choice for choice in choices if not (free_text and isinstance(choice, str)))


def _last_name(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2]
