"""Files that sources are read from: found, regular, and identified by what is in them."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Protocol

from runexp.diagnostics import did_you_mean
from runexp.plan.data import SourcePlan
from runexp.plan.values import Origin
from runexp.runtime.data.problems import first_line, shown, wrong


class Named(Protocol):
    """Part of a plan that names a file."""

    @property
    def path(self) -> str:
        """Relative to the spec's folder."""

    @property
    def origin(self) -> Origin:
        """Where it was written."""


def locate(plan: Named, folder: Path) -> Path:
    """The file a part of the plan names, looked for from `folder`; `SpecError` where it is none that can be read."""
    path = folder / plan.path
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise wrong(
            plan.origin, "missing-file", f"there is no file {shown(path, most=200)}", hint=_near(path)
        ) from None
    except (OSError, ValueError) as error:
        raise _unreadable(plan, path, error) from error
    if not stat.S_ISREG(mode):
        what = "is a folder" if stat.S_ISDIR(mode) else "is not a regular file"
        raise wrong(plan.origin, "unreadable-file", f"{shown(path, most=200)} {what}")
    return path


def fingerprint(plan: SourcePlan, path: Path) -> str:
    """SHA-256 of the file's bytes."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(plan, path, error) from error


def _unreadable(plan: Named, path: Path, error: Exception) -> Exception:
    message = f"{shown(path, most=200)} cannot be read: {first_line(error)}"
    return wrong(plan.origin, "unreadable-file", message)


def _near(path: Path) -> str:
    try:
        names = sorted(entry.name for entry in os.scandir(path.parent) if entry.is_file())
    except OSError:
        return f"there is no folder {shown(path.parent, most=200)}"
    return did_you_mean(path.name, names, kind="files there")
