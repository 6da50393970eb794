"""The folder of one run: made for it alone, locked for its life."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Self

from runexp.store.atomic import is_aside, make_folders, sync_folder, write_atomically
from runexp.store.checkpoints import CheckpointFolder
from runexp.store.names import check_run_name, inside
from runexp.store.status import StatusFile, read_status, utc_now

LOCK = "lock"
_PATIENCE_S = 10.0


class FolderInUse(Exception):  # noqa: N818 - it reads as what happened
    """A run cannot have this folder: another run holds it, or there is something in it."""


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
        folder = cls(path, _lock(path), started=now)
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
        """The folder of a run that was broken off, freed of what is half-written; `FolderInUse` where it is running.

        Of one that was killed, the processes it had started are waited for: they end by themselves.
        """
        lock = _lock(path, patience_s=_PATIENCE_S)
        for debris in filter(is_aside, path.iterdir()):
            debris.unlink(missing_ok=True)
        status = read_status(path)
        started = datetime.fromisoformat(status.started) if status else utc_now()
        return cls(path, lock, started=started)

    def progress(self) -> CheckpointFolder:
        """What this run would go on from after it was broken off, freed of what is half-written."""
        folder = CheckpointFolder(self.path / "progress")
        folder.clean()
        return folder

    def forget_progress(self) -> None:
        """Delete what nothing goes on from any more."""
        shutil.rmtree(self.path / "progress", ignore_errors=True)

    @property
    def lock(self) -> int:
        """The file descriptor that holds the lock; a process that has it too holds the run with this one."""
        return self._lock

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
        folder = CheckpointFolder(self.path / "checkpoints")
        folder.clean()
        return folder

    def close(self) -> None:
        """Let go of the lock; the folder stays."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

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
        raise FolderInUse(_in_use(path) if is_locked(path) else _not_empty(path))
    return path


def _lock(path: Path, *, patience_s: float = 0.0) -> int:
    """The lock of a folder; with patience, what a dead process has left behind may hold it a little longer."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return _lock_now(path)
        except FolderInUse:
            if time.monotonic() >= until or not _is_orphaned(path):
                raise
            time.sleep(0.02)


def _is_orphaned(path: Path) -> bool:
    """Whether the process that began the run on this machine is gone."""
    status = read_status(path)
    if status is None or status.host != socket.gethostname():
        return False
    try:
        os.kill(status.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _lock_now(path: Path) -> int:
    descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        raise FolderInUse(_in_use(path)) from None
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether a process holds the run in this folder."""
    try:
        descriptor = os.open(path / LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _contents(path: Path) -> set[str]:
    return set(os.listdir(path))


def _in_use(path: Path) -> str:
    status = read_status(path)
    who = f"process {status.pid} on {status.host}, since {status.started}" if status else "another process"
    return f"{path} is in use by {who}"


def _not_empty(path: Path) -> str:
    return f"{path} is not empty; a run needs a new or an empty folder"
