"""Which commit a folder stands at."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT_S = 5.0
# A repository's own settings may name programs to start; this one would be started by a mere look.
_LOOK_ONLY = ("-c", "core.fsmonitor=false", "--no-optional-locks")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit, and whether tracked files differ from it."""

    commit: str
    dirty: bool


def commit_of(folder: Path) -> Commit | None:
    """The commit that `folder` stands at; None without git, a repository, a commit or an answer in time."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no") if commit else None
    return Commit(commit, dirty=bool(changes)) if commit and changes is not None else None


def _git(folder: Path, *arguments: str) -> str | None:
    # GIT_DIR and its like, set inside a hook, would answer for another repository.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *_LOOK_ONLY, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()
