"""The trash of a folder of runs: what `rm` takes away lies there until it is emptied."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runexp.store.atomic import make_folders, sync_folder
from runexp.store.locks import LOCK
from runexp.store.scan import STORE, is_run

TRASH = "trash"


class CannotRemove(Exception):  # noqa: N818 - it reads as what happened
    """A run stays where it is: it is running, or lies elsewhere."""


@dataclass(frozen=True, slots=True)
class Emptied:
    """How many runs were deleted for good, and the bytes they took."""

    n_runs: int
    n_bytes: int


def why_not_removable(runs: Path, folder: Path) -> str:
    """Why a folder cannot go to the trash of `runs`; empty if it can."""
    if folder.is_symlink() or not is_run(folder):
        return f"{folder} is no run folder"
    place = folder.resolve()
    if not place.is_relative_to(runs.resolve()) or place == runs.resolve():
        return f"{folder} does not lie in {runs}: name its folder of runs with --runs, or delete it by hand"
    try:
        with _held(folder):
            return ""
    except BlockingIOError:
        return f"{folder.name} is running; stop it first"
    except OSError as error:
        return f"{folder.name} cannot be removed: {error.strerror}"


def move_to_trash(runs: Path, folder: Path) -> Path:
    """Put a run into the trash; gives where it lies then. `CannotRemove` with why it stays, `OSError` if it must."""
    reason = why_not_removable(runs, folder)
    if reason:
        raise CannotRemove(reason)
    place = folder.resolve()
    target = _vacant(runs / STORE / TRASH / place.relative_to(runs.resolve()))
    make_folders(target.parent)
    with _held(folder):
        os.rename(folder, target)
    sync_folder(target.parent)
    if place.parent != runs.resolve() and not any(place.parent.iterdir()):
        place.parent.rmdir()
    return target


def trashed(runs: Path) -> tuple[Path, ...]:
    """What lies in the trash."""
    root = runs / STORE / TRASH
    found = (path for pattern in ("*", "*/*") for path in sorted(root.glob(pattern)))
    return tuple(path for path in found if is_run(path))


def empty_trash(runs: Path) -> Emptied:
    """Delete for good what lies in the trash. `OSError` where something cannot be deleted."""
    root = runs / STORE / TRASH
    n_runs = len(trashed(runs))
    n_bytes = sum(_size(Path(folder, name)) for folder, _, files in os.walk(root) for name in files)
    if root.is_dir():
        shutil.rmtree(root)
    return Emptied(n_runs, n_bytes)


def _vacant(path: Path) -> Path:
    """The path, or one like it where something of that name lies in the trash already."""
    free, number = path, 1
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.name}.{number}")
    return free


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the run's lock, so that nobody starts in it; `BlockingIOError` where somebody has."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    return path.lstat().st_size
