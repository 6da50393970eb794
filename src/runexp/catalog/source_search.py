"""Find the source file of a module without importing it or its packages."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

_LONGEST = 1 << 20


def find_module(module: str, roots: Sequence[Path]) -> ModuleSpec | None:
    """Where the module would be imported from: one of the roots, else where Python would find it."""
    top, *rest = module.split(".")
    spec = PathFinder.find_spec(top, [str(root) for root in roots]) or _installed(top)
    name = top
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return spec


def read_source(spec: ModuleSpec) -> bytes | None:
    """The module's source, if it has a regular `.py` file of at most 1 MiB."""
    if not spec.has_location or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    try:
        with open(spec.origin, "rb", opener=_open_without_waiting) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LONGEST:
                return None
            return stream.read(_LONGEST)
    except OSError:
        return None


def _installed(top: str) -> ModuleSpec | None:
    """A top-level module's place; finding it imports nothing."""
    try:
        return find_spec(top)
    except (ValueError, ImportError):  # a module in sys.modules without a spec, such as `__main__`
        return None


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
