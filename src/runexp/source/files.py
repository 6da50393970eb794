"""Bytes from files that strangers may have put there: never blocks, never reads more than the limit."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from runexp.source.limits import MAX_BYTES


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a regular file, one over the limit at most; raises `OSError` with a sentence."""
    shown = os.fspath(path)
    if "\0" in shown:
        raise OSError("the path holds a NUL character")
    try:
        # Non-blocking, so that opening a FIFO without a writer returns at once.
        descriptor = os.open(shown, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise OSError(_REASONS.get(type(error), error.strerror or "it cannot be opened")) from error
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise OSError("it is a folder" if stat.S_ISDIR(mode) else "it is not a regular file")
        return file.read(MAX_BYTES + 1)


_REASONS: dict[type[OSError], str] = {
    FileNotFoundError: "there is no such file",
    PermissionError: "no permission to read it",
    IsADirectoryError: "it is a folder",
    NotADirectoryError: "a part of its path is no folder",
}
