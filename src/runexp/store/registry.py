"""A registry of models in the folder of runs: versions under a name, and aliases for them."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from runexp.store.atomic import aside, commit_folder, make_folders, write_atomically
from runexp.store.names import inside

FOLDER = ".registry"
_ALIASES = "aliases.json"
_VERSION = re.compile(r"[1-9]\d*")


class Registry:
    """The models below `runs`: `.registry/<name>/<version>/`, versions counted from 1."""

    def __init__(self, runs: Path) -> None:
        self._root = runs / FOLDER

    def add(self, name: str, write: Callable[[Path], None]) -> int:
        """A new version of what `write` puts into the folder it is given; if it fails, nothing is left."""
        folder = inside(self._root, name)
        make_folders(folder)
        temporary = aside(folder / "version")
        temporary.mkdir()
        try:
            write(temporary)
            return _committed(folder, temporary)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Let an alias mean a version from now on."""
        folder = inside(self._root, name)
        text = json.dumps(self.aliases(name) | {alias: version}, indent=1, sort_keys=True)
        write_atomically(folder / _ALIASES, text + "\n")

    def aliases(self, name: str) -> dict[str, int]:
        """What each alias of a model means."""
        try:
            told = json.loads((inside(self._root, name) / _ALIASES).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {str(alias): int(version) for alias, version in told.items()}

    def versions(self, name: str) -> tuple[int, ...]:
        """The versions of a model, the oldest first; none where it is not known."""
        return _versions(inside(self._root, name))

    def path(self, name: str, which: str = "") -> Path:
        """The folder of a version, by its number or an alias; the newest unless told. `LookupError` for one that is
        not there."""
        versions = self.versions(name)
        if not versions:
            raise LookupError(f"no model `{name}` is registered in {self._root}")
        version = versions[-1] if not which else self._version(name, which)
        if version not in versions:
            raise LookupError(f"`{name}` has no version {which}; there are {', '.join(map(str, versions))}")
        return inside(self._root, name) / str(version)

    def _version(self, name: str, which: str) -> int:
        aliases = self.aliases(name)
        if which in aliases:
            return aliases[which]
        if _VERSION.fullmatch(which):
            return int(which)
        known = ", ".join(aliases) or "none"
        raise LookupError(f"`{name}` has no alias `{which}`; aliases: {known}")


def _versions(folder: Path) -> tuple[int, ...]:
    with suppress(FileNotFoundError):
        return tuple(sorted(int(name) for name in os.listdir(folder) if _VERSION.fullmatch(name)))
    return ()


def _committed(folder: Path, temporary: Path) -> int:
    """Put a folder in its place under the next free number; another process may take numbers meanwhile."""
    while True:
        version = max(_versions(folder), default=0) + 1
        try:
            commit_folder(temporary, folder / str(version))
        except OSError:
            if not (folder / str(version)).exists():
                raise
        else:
            return version
