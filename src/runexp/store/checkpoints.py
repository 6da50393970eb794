"""Checkpoints on disk: folders that are whole or absent, each with the hashes of its files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from runexp.durable import naming
from runexp.store.atomic import (
    aside,
    commit_folder,
    is_aside,
    make_folders,
    plain_files,
    sync_folder,
    write_atomically,
)
from runexp.store.names import inside

MANIFEST = "manifest.json"
POINTERS = "pointers.json"


class CheckpointFolder:
    """The checkpoints of a run. A name is a path below the folder, such as `train/epoch-0003`.

    Opening it changes nothing; `clean` is for the one process that holds the run.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(self, name: str, write: Callable[[Path], None]) -> str:
        """Commit the files that `write` puts into the folder it is given; if it fails, nothing is left."""
        temporary = self.begin(name)
        try:
            with naming(self.path(name)):
                write(temporary)
                self.commit(temporary, name)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        return name

    def begin(self, name: str) -> Path:
        """A fresh folder to write a checkpoint's files into; `FileExistsError` where the name is taken."""
        final = self.path(name)
        if final.exists():
            raise FileExistsError(f"there is a checkpoint `{name}` already")
        make_folders(final.parent)
        temporary = aside(final)
        temporary.mkdir()
        return temporary

    def commit(self, temporary: Path, name: str) -> None:
        """Seal what `begin` gave with a manifest and put it in its place, durably."""
        (temporary / MANIFEST).write_bytes(_manifest(temporary))
        commit_folder(temporary, self.path(name))

    def verify(self, name: str) -> bool:
        """Whether the checkpoint is there with exactly the files, sizes and SHA-256 it was committed with."""
        path = self.path(name)
        try:
            return (path / MANIFEST).read_bytes() == _manifest(path)
        except (OSError, ValueError):
            return False

    def digests(self, name: str) -> dict[str, str]:
        """The SHA-256 of each file, as it was committed; `OSError` or `ValueError` where that cannot be read."""
        files = json.loads((self.path(name) / MANIFEST).read_text(encoding="utf-8"))["files"]
        return {str(file): str(facts["sha256"]) for file, facts in files.items()}

    def remove(self, name: str) -> None:
        """Delete a checkpoint; half-way it is debris, not a checkpoint. `FileNotFoundError` without one."""
        path = self.path(name)
        temporary = aside(path)
        with naming(path):
            os.rename(path, temporary)
            sync_folder(path.parent)
        shutil.rmtree(temporary)

    def point(self, phase: str, pointers: Mapping[str, str]) -> None:
        """Remember which checkpoint of a phase is `last` and which is `best`."""
        for name in pointers.values():
            self.path(name)
        folder = self.path(phase)
        make_folders(folder)
        write_atomically(folder / POINTERS, json.dumps(dict(pointers), indent=2) + "\n")

    def pointers(self, phase: str) -> dict[str, str]:
        """What `point` remembered; empty where nothing was."""
        try:
            text = (self.path(phase) / POINTERS).read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        return {str(role): str(name) for role, name in json.loads(text).items()}

    def path(self, name: str) -> Path:
        """Where the checkpoint of that name lies; `ValueError` for a name that leads elsewhere."""
        return inside(self._root, name)

    def names(self) -> tuple[str, ...]:
        """The folders directly below, in order, whole or not; none where nothing was ever saved."""
        if not self._root.is_dir():
            return ()
        return tuple(sorted(path.name for path in self._root.iterdir() if path.is_dir() and not is_aside(path)))

    def all_names(self) -> tuple[str, ...]:
        """Every checkpoint at any depth, in order, whole or not."""
        found = (path.parent for path in self._root.rglob(MANIFEST))
        names = (path.relative_to(self._root) for path in found)
        return tuple(sorted(name.as_posix() for name in names if not any(is_aside(Path(part)) for part in name.parts)))

    def debris(self) -> tuple[Path, ...]:
        """What killed processes left half-written."""
        return tuple(
            Path(folder, name)
            for folder, folders, files in os.walk(self._root)
            for name in (*folders, *files)
            if is_aside(Path(name)) and not is_aside(Path(folder))
        )

    def clean(self) -> tuple[Path, ...]:
        """Delete the debris, and say what it was."""
        found = self.debris()
        for path in found:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return found


def _manifest(folder: Path) -> bytes:
    """The same files give the same bytes, so that comparing them is checking them."""
    files = {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": _sha256(path)}
        for path in plain_files(folder)
        if path != folder / MANIFEST
    }
    return (json.dumps({"files": files}, indent=2, sort_keys=True) + "\n").encode()


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
