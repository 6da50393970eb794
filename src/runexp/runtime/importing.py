"""Modules beside a spec made importable for as long as a run lasts, and forgotten afterwards."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

_NEVER = frozenset({"runexp"})


class OwnModules:
    """A context in which modules of some folders can be imported; the folders come first, as a script's own does.

    What is imported from them is read anew from disk, kept from one entry to the next, and taken out of `sys.modules`
    at the end, so that two specs with a module of the same name each have their own. No byte code is written.
    """

    def __init__(self, folders: Sequence[Path], prefixes: Iterable[str]) -> None:
        self._folders = tuple(dict.fromkeys(str(folder.resolve()) for folder in folders))
        self._prefixes = tuple(prefixes)
        tops = {prefix.partition(".")[0] for prefix in self._prefixes}
        self._tops = {top for top in tops if PathFinder.find_spec(top, list(self._folders)) is not None}
        self._mine: dict[str, ModuleType] = {}
        self._aside: dict[str, ModuleType] = {}
        self._before: frozenset[str] = frozenset()
        self._writes_byte_code = not sys.dont_write_bytecode

    def __enter__(self) -> OwnModules:
        self._aside = {name: sys.modules.pop(name) for name in _below(self._tops)}
        self._before = frozenset(sys.modules)
        sys.modules.update(self._mine)
        sys.path[:0] = self._folders
        self._writes_byte_code = not sys.dont_write_bytecode
        sys.dont_write_bytecode = True
        importlib.invalidate_caches()
        return self

    def __exit__(self, *exception: object) -> None:
        sys.dont_write_bytecode = not self._writes_byte_code
        for folder in self._folders:
            with suppress(ValueError):  # the code itself may have changed the path
                sys.path.remove(folder)
        new = [name for name in sys.modules if name not in self._before and self._is_from_here(name)]
        self._mine = {name: sys.modules.pop(name) for name in new}
        sys.modules.update(self._aside)

    def digests(self) -> Mapping[str, str]:
        """SHA-256 of the source of every module that was imported under a prefix or from the folders."""
        modules = {**{name: sys.modules[name] for name in _below(self._roots())}, **self._mine}
        files = {name: getattr(module, "__file__", None) for name, module in modules.items()}
        here = {name for name in sys.modules if name not in self._before and self._is_from_here(name)}
        files |= {name: getattr(sys.modules[name], "__file__", None) for name in here}
        return {name: digest_of(Path(file)) for name, file in sorted(files.items()) if file}

    def _roots(self) -> set[str]:
        return {prefix.partition(".")[0] for prefix in self._prefixes}

    def _is_from_here(self, name: str) -> bool:
        """Whether the top-level module of this name lies in one of the folders itself."""
        top = name.partition(".")[0]
        if top in _NEVER:
            return False
        module = sys.modules.get(top)
        places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", ())]
        homes = {os.path.dirname(place) for place in places if place}
        return bool(homes & set(self._folders))


def digest_of(file: Path) -> str:
    """SHA-256 of a file's bytes; empty where it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _below(tops: Iterable[str]) -> list[str]:
    wanted = set(tops)
    return [name for name in sys.modules if name.partition(".")[0] in wanted]
