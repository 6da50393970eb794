"""The lock of a run folder: held by one process, known by host, process and when that began.

The system's own lock goes with the process that holds it. The record in the file speaks where that lock does not reach:
to other hosts of a shared folder, and on file systems without locks.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from runexp.durable import naming
from runexp.store.status import read_status

LOCK = "lock"

_TAKEN = (errno.EWOULDBLOCK, errno.EACCES)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
_LARGEST = 4096


class FolderInUse(Exception):  # noqa: N818 - it reads as what happened
    """A run cannot have this folder: another run holds it, or there is something in it."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a folder. `born` is when the process began, in the system's own form, empty where it does not tell;
    `file` numbers the lock file, which a copy of the folder has another of. `job` is that of a scheduler, and `turn`
    grows whenever it starts the job again: what ran before is gone by then, on whatever host."""

    host: str
    pid: int
    born: str
    file: int
    job: str = ""
    turn: int = 0


def hold(folder: Path, *, patience_s: float = 0.0) -> int:
    """Take the lock of a folder; gives its descriptor. `FolderInUse` says who has it, and how to take it from a host
    that is gone. With patience, processes that have outlived the one that holds it are waited for."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return _hold_now(folder)
        except FolderInUse:
            if time.monotonic() >= until or not _is_orphaned(folder):
                raise
            time.sleep(0.02)


def inherit(folder: Path, *, patience_s: float) -> int:
    """Take the lock of a folder from whoever was given up and told to stop: waited for, and of another host forgotten
    where the system's own lock is free by then. `FolderInUse` where it is not."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return _hold_now(folder)
        except FolderInUse:
            is_over = time.monotonic() >= until
            if is_over and is_locked(folder):
                raise
        if is_over:
            (folder / LOCK).unlink(missing_ok=True)
        time.sleep(0.02)


def _is_orphaned(folder: Path) -> bool:
    """Whether who holds a folder is a process of this machine that is gone: those it started still have the lock."""
    holder = holder_of(folder)
    return holder is not None and holder.host == socket.gethostname() and not _lives(holder.pid)


def _hold_now(folder: Path) -> int:
    path = folder / LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        _take(descriptor, folder)
        holder = _read(descriptor)
        if holder is not None and not _is_stale(holder, descriptor):
            raise FolderInUse(_held(folder, holder))
        with naming(path):
            _write(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def release(descriptor: int) -> None:
    """Let go of a lock: nobody holds the folder any more."""
    try:
        os.ftruncate(descriptor, 0)
    except OSError:
        pass  # the record names a process that will be gone
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Whether a process of this machine holds the run in this folder."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder_of(folder: Path) -> Holder | None:
    """Who says to hold a folder; None where nobody does."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return _read(descriptor)
    finally:
        os.close(descriptor)


def born(pid: int) -> str:
    """When a process began, in clock ticks since the system did; empty where there is none, or nobody knows."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return ""


def _take(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:  # the record alone has to do
            return
        if error.errno not in _TAKEN:
            raise
        raise FolderInUse(_held(folder, _read(descriptor))) from None


def _is_stale(holder: Holder, descriptor: int, *, born_of: Callable[[int], str] = born) -> bool:
    """Whether its process is gone: killed, so that it could not let go, or of a folder that was copied."""
    if holder.file != os.fstat(descriptor).st_ino:
        return True
    if holder.host != socket.gethostname():
        job, turn = _job()
        return bool(job) and holder.job == job and holder.turn < turn
    was_born = born_of(holder.pid)
    return holder.pid == os.getpid() or not _lives(holder.pid) or (bool(holder.born) and was_born != holder.born)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _read(descriptor: int) -> Holder | None:
    try:
        data = json.loads(os.pread(descriptor, _LARGEST, 0))
        process = (str(data["host"]), int(data["pid"]), str(data["born"]), int(data["file"]))
        return Holder(*process, str(data.get("job", "")), int(data.get("turn", 0)))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(descriptor: int) -> None:
    pid = os.getpid()
    holder = Holder(socket.gethostname(), pid, born(pid), os.fstat(descriptor).st_ino, *_job())
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(asdict(holder)).encode() + b"\n", 0)


def _job() -> tuple[str, int]:
    """The job that this process is, empty for none, and which start of it: `RUNEXP_JOB` by the clock, else SLURM's."""
    named, slurm = os.environ.get("RUNEXP_JOB", ""), os.environ.get("SLURM_JOB_ID", "")
    if named:
        return named, time.time_ns()
    restarts = os.environ.get("SLURM_RESTART_COUNT", "0")
    return (f"slurm {slurm}", int(restarts) if restarts.isdecimal() else 0) if slurm else ("", 0)


def _held(folder: Path, holder: Holder | None) -> str:
    if holder is None:
        return f"{folder} is in use by another process"
    status = read_status(folder)
    since = f", since {status.started}" if status is not None else ""
    in_use = f"{folder} is in use by process {holder.pid} on {holder.host}{since}"
    if holder.host == socket.gethostname():
        return in_use
    return f"{in_use}; if nothing runs there any more, delete {folder / LOCK} to take it over"
