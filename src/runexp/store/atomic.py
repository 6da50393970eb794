"""Files and folders that are whole or absent: written aside, synced, renamed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

from runexp.durable import naming, sync_file

_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace `path` in one step, durably; after an `OSError` what stood there before still stands."""
    data = content.encode() if isinstance(content, str) else content
    temporary = aside(path)
    try:
        with naming(path), open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    with naming(path):
        sync_folder(path.parent)


def commit_folder(temporary: Path, final: Path) -> None:
    """Give a folder written aside its name, durably; `FileExistsError` where the name is taken."""
    if os.path.lexists(final):  # rename would replace an empty folder without a word
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final))
    for file in plain_files(temporary):
        sync_file(file, os.O_RDONLY)
    for folder, _, _ in os.walk(temporary, topdown=False):
        sync_folder(Path(folder))
    os.rename(temporary, final)
    sync_folder(final.parent)


def plain_files(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in order; `ValueError` at a link or anything else but plain files."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ValueError(f"{path} is not a plain file")
        if path.is_file():
            yield path


def make_folders(folder: Path) -> None:
    """Make a folder and those above it, durably; what exists is left as it is."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    with naming(folder):
        sync_folder(folder.parent)


def aside(path: Path) -> Path:
    """A fresh name beside `path` for what is not yet whole; `is_aside` knows it again."""
    return path.with_name(f".{path.name}.{token_hex(4)}.tmp")


def is_aside(path: Path) -> bool:
    """Whether this is what a killed process left unfinished."""
    return path.name.startswith(".") and path.name.endswith(".tmp")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the file system can."""
    try:
        sync_file(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
