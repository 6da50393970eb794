"""The run folders below a folder of runs, each with what tells whether it has changed. Reads no file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from runexp.store.status import STATUS

STORE = ".runexp"
"""What the store keeps for itself below the folder of runs: the index and the trash."""

ANNOTATIONS = "annotations.json"
_MARKS = (STATUS, "lock", "spec.yaml", "resolved.yaml", "lock.json", "summary.json", "events.jsonl", ANNOTATIONS)
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


def scan(runs: Path) -> dict[str, str]:
    """Every run by its path below `runs`, `name/id` or what `--run-dir` made, with a signature of its files.

    A folder that is no run is passed over; so is what cannot be looked into.
    """
    found: dict[str, str] = {}
    for name in _folders(str(runs)):
        signature = _signature(f"{runs}/{name}")
        if signature:
            found[name] = signature
            continue
        for run in _folders(f"{runs}/{name}"):
            if signature := _signature(f"{runs}/{name}/{run}") or ("empty" if _ID.fullmatch(run) else ""):
                found[f"{name}/{run}"] = signature
    return found


def is_run(path: Path | str) -> bool:
    """Whether a folder is that of a run, however little of it there is."""
    try:
        return bool(_signature(str(path))) or (os.path.isdir(path) and bool(_ID.fullmatch(os.path.basename(path))))
    except ValueError:  # a text that no path can be
        return False


def _folders(path: str) -> Iterator[str]:
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if _is_listed(entry))
    except OSError:
        return
    yield from names


def _is_listed(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder with a name that can be shown; no run is made with another."""
    try:
        return entry.name.isprintable() and not entry.name.startswith(".") and entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _signature(folder: str) -> str:
    """Which files stand in a folder, and in which state; empty where nothing says that it is a run's."""
    parts = [_state(f"{folder}/{mark}") for mark in _MARKS]  # os.path.join would take longer than the look
    has_status, has_lock, has_spec = bool(parts[0]), bool(parts[1]), bool(parts[2])
    is_runs = has_status or (has_spec and bool(parts[3])) or (has_lock and bool(_ID.fullmatch(folder[-20:])))
    return " ".join(part or "-" for part in parts) if is_runs else ""


def _state(path: str) -> str:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ""
    return f"{found.st_ino}.{found.st_size}.{found.st_mtime_ns}"
