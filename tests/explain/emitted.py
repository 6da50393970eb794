"""The codes that the source can emit, read from its calls."""

from __future__ import annotations

import ast

EMITTERS = {
    "Diagnostic",
    "Mistake",
    "ArgumentProblem",
    "error",
    "fail",
    "report",
    "wrong",
    "warning",
    "problem",
    "found",
    "_found",
}
EMITTERS |= {"_refuse", "_warned", "_wrong", "_problem", "SignatureProblem", "Misfit"}
UNKNOWN_DOMAINS = ("target", "feature", "tag")


def codes(folder):
    """Every diagnostic code below a folder of sources."""
    found = set()
    for path in folder.rglob("*.py"):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            found |= _codes(call)
    return found


def _codes(call):
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    arguments = [*call.args[:2], *(keyword.value for keyword in call.keywords if keyword.arg == "code")]
    texts = [text for argument in arguments for text in _texts(argument)]
    if name == "unknown" and ast.unparse(call.func).endswith("found.unknown"):
        kinds = _texts(call.args[0])
        return {f"unknown-{kind.replace(' ', '-')}" for kind in kinds or UNKNOWN_DOMAINS}
    return {text for text in texts if _is_code(text)} if name in EMITTERS else set()


def _texts(argument):
    """A text, or both of a choice between two."""
    if isinstance(argument, ast.IfExp):
        return [*_texts(argument.body), *_texts(argument.orelse)]
    return [argument.value] if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else []


def _is_code(text):
    return bool(text) and text.replace("-", "").replace(".", "").isalnum() and text == text.lower() and " " not in text
