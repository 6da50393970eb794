"""Writing so that it lasts: files are synced to the disk, and an error says which file it is about."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def naming(path: object) -> Iterator[None]:
    """Let an `OSError` from inside say which file it is about, where it does not."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


def sync_file(path: Path, flags: int = os.O_RDONLY) -> None:
    """Make what was written into a file durable; of a folder, opened with `O_DIRECTORY`, the names in it."""
    descriptor = os.open(path, flags)
    try:
        with naming(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
