"""Names that are safe as files on every system, and paths that stay inside their folder."""

from __future__ import annotations

import re
from pathlib import Path

from runexp.plan.names import why_no_run_name

_COMPONENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


def check_run_name(name: str) -> None:
    """`ValueError` unless `name` can name a folder on every system."""
    reason = why_no_run_name(name)
    if reason:
        raise ValueError(f"{name!r} cannot name a run: {reason}")


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
