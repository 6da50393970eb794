"""Names that are safe as files on every system, and paths that stay inside their folder."""

from __future__ import annotations

import re
from pathlib import Path

_RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_COMPONENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def check_run_name(name: str) -> None:
    """`ValueError` unless `name` can name a folder on every system."""
    if not _RUN_NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a run: up to 100 letters, digits, `.`, `_`, `-`, first no sign")
    if name.endswith("."):
        raise ValueError(f"{name!r} cannot name a run: the last character is a dot")
    if _DEVICE.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a run: it is a device on Windows")


def inside(folder: Path, relative: str) -> Path:
    """The path of `a/b/c` below `folder`; `ValueError` for anything that could lead out of it, links too."""
    path = folder
    for component in relative.split("/"):
        if not _COMPONENT.fullmatch(component) or component.endswith("."):
            raise ValueError(f"{relative!r} is no path inside a run folder: {component!r} cannot stand in it")
        path /= component
        if path.is_symlink():
            raise ValueError(f"{relative!r} is no path inside a run folder: {path} is a link")
    return path
