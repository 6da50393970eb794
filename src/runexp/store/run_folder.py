"""The folder of one run: made for it alone, locked for its life."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Self

from runexp.store.atomic import is_aside, make_folders, sync_folder, write_atomically
from runexp.store.checkpoints import CheckpointFolder
from runexp.store.locks import LOCK, hold, is_locked, release
from runexp.store.locks import FolderInUse as FolderInUse
from runexp.store.names import check_run_name, inside
from runexp.store.status import StatusFile, read_status, utc_now


class RunFolder:
    """A run's folder, held by this process until `close`; nothing written through it lands outside."""

    def __init__(self, path: Path, lock: int, *, started: datetime) -> None:
        self.path = path
        self.status = StatusFile(path, started=started)
        self._lock = lock

    @classmethod
    def create(cls, runs: Path, name: str, *, now: datetime, at: Path | None = None) -> RunFolder:
        """A fresh folder runs/<name>/<id>/, or exactly `at`; `FolderInUse` unless that is new or empty."""
        check_run_name(name)
        path = _fresh(runs / name, now) if at is None else _vacant(at)
        folder = cls(path, hold(path), started=now)
        try:
            if _contents(path) - {LOCK}:  # a run came and went between the look and the lock
                raise FolderInUse(_not_empty(path))
            folder.status.update("running")
        except BaseException:
            folder.close()
            raise
        return folder

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """The folder of a run that was broken off, freed of what is half-written; `FolderInUse` where it is running, or
        holds links."""
        links = [found for found in path.iterdir() if found.is_symlink()]
        if links:  # what is written there would land elsewhere
            raise FolderInUse(f"{links[0]} is a link, and a run goes on among files of its own only")
        lock = hold(path)
        for debris in filter(is_aside, path.iterdir()):
            debris.unlink(missing_ok=True)
        status = read_status(path)
        started = datetime.fromisoformat(status.started) if status else utc_now()
        return cls(path, lock, started=started)

    def progress(self) -> CheckpointFolder:
        """What this run would go on from after it was broken off, freed of what is half-written."""
        folder = CheckpointFolder(self.inside("progress"))
        folder.clean()
        return folder

    @property
    def id(self) -> str:
        """The name of the folder, which tells runs apart."""
        return self.path.name

    def inside(self, relative: str) -> Path:
        """The path of a file of this run; `ValueError` for one that would lie elsewhere."""
        return inside(self.path, relative)

    def write(self, relative: str, content: bytes | str) -> Path:
        """Write a file of this run, whole or not at all."""
        path = self.inside(relative)
        make_folders(path.parent)
        write_atomically(path, content)
        return path

    def checkpoints(self) -> CheckpointFolder:
        """The checkpoints of this run, freed of what a killed process left half-written."""
        folder = CheckpointFolder(self.inside("checkpoints"))
        folder.clean()
        return folder

    def close(self) -> None:
        """Let go of the lock; the folder stays."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            release(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _fresh(parent: Path, now: datetime) -> Path:
    make_folders(parent)
    while True:
        path = parent / f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{token_hex(2)}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        sync_folder(parent)
        return path


def _vacant(path: Path) -> Path:
    """`path` made if need be; nothing is written where there is something already."""
    try:
        make_folders(path)
        contents = _contents(path)
    except (FileExistsError, NotADirectoryError):
        raise FolderInUse(f"{path} cannot hold a run: it, or a part of it, is a file") from None
    if contents - {LOCK}:
        if is_locked(path):
            release(hold(path))  # says who has it
        raise FolderInUse(_not_empty(path))
    return path


def _contents(path: Path) -> set[str]:
    return set(os.listdir(path))


def _not_empty(path: Path) -> str:
    return f"{path} is not empty; a run needs a new or an empty folder"
