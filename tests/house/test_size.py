"""Files, functions and nesting stay small."""

from __future__ import annotations

import ast
from itertools import chain
from pathlib import Path

import pytest

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
MAX_NESTING = 3

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)


def too_large(source: str, name: str, *, max_nesting: int | None) -> list[str]:
    """Every limit that the source breaks, one line each."""
    n_lines = len(source.splitlines())
    found = [f"{name}: {n_lines} lines"] if n_lines > MAX_FILE_LINES else []
    for function in (node for node in ast.walk(ast.parse(source)) if isinstance(node, FUNCTIONS)):
        place = f"{name}:{function.lineno} {function.name}"
        n_lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if n_lines > MAX_FUNCTION_LINES:
            found.append(f"{place}: {n_lines} lines")
        if max_nesting is not None and (depth := nesting(function)) > max_nesting:
            found.append(f"{place}: blocks nested {depth} deep")
    return found


def nesting(node: ast.AST) -> int:
    """How many blocks stand inside one another; `elif` goes no deeper, a function inside starts anew."""
    children = [child for child in ast.iter_child_nodes(node) if not isinstance(child, FUNCTIONS)]
    return max((_depth(child, node) for child in children), default=0)


def _depth(child: ast.AST, parent: ast.AST) -> int:
    is_elif = isinstance(parent, ast.If) and isinstance(child, ast.If) and parent.orelse == [child]
    return nesting(child) + (isinstance(child, BLOCKS) and not is_elif)


def _python_files(root: Path, *folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (root / folder).rglob("*.py"))


def _all_too_large(root: Path, files: list[Path], *, max_nesting: int | None) -> list[str]:
    names = [str(path.relative_to(root)) for path in files]
    sources = [path.read_text(encoding="utf-8") for path in files]
    found = [too_large(source, name, max_nesting=max_nesting) for source, name in zip(sources, names, strict=True)]
    return list(chain.from_iterable(found))


def test_files_functions_and_nesting_of_the_product_stay_small(root):
    files = _python_files(root, "src")
    assert files
    assert _all_too_large(root, files, max_nesting=MAX_NESTING) == []


def test_files_and_functions_of_tests_and_bench_stay_small(root):
    files = _python_files(root, "tests", "bench")
    assert files
    assert _all_too_large(root, files, max_nesting=None) == []


NESTED = """
def f(x):
    for a in x:
        if a:
            with a:
                {innermost}
"""
ELIFS = """
def f(x):
    if x == 1:
        return 1
    elif x == 2:
        return 2
    elif x == 3:
        return 3
    elif x == 4:
        return 4
"""


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("x = 1\n" * 400, [], id="400 lines pass"),
        pytest.param("x = 1\n" * 401, ["a.py: 401 lines"], id="401 lines do not"),
        pytest.param("def f():\n" + "    x = 1\n" * 49, [], id="a function of 50 lines passes"),
        pytest.param("def f():\n" + "    x = 1\n" * 50, ["a.py:1 f: 51 lines"], id="51 lines do not"),
        pytest.param(NESTED.format(innermost="print(a)"), [], id="three blocks deep passes"),
        pytest.param(NESTED.format(innermost="while a: pass"), ["a.py:2 f: blocks nested 4 deep"], id="four do not"),
        pytest.param(ELIFS, [], id="elif goes no deeper"),
    ],
)
def test_the_size_gate_bites(source, found):
    assert too_large(source, "a.py", max_nesting=MAX_NESTING) == found
