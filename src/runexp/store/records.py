"""lock.json, what a run was made with, and summary.json, what it ended with."""

from __future__ import annotations

import json
import math
import platform
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from runexp.store.atomic import write_atomically
from runexp.store.git import commit_of

LOCK_FILE = "lock.json"
SUMMARY = "summary.json"


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """The version of each package that is installed, without importing any."""
    found: dict[str, str] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def write_lock_file(
    folder: Path,
    *,
    versions: Mapping[str, str],
    seed: int,
    plan_digest: str,
    sources: Mapping[str, str],
    argv: Sequence[str],
    spec_folder: Path | None = None,
    code: Mapping[str, str] | None = None,
    lineage: Sequence[Mapping[str, str]] = (),
) -> None:
    """Record everything a repetition needs; `sources` maps feature sets to fingerprints, `code` modules of the user's.

    `lineage` names the checkpoints of earlier runs that weights are from.
    `made` says who ran it, where and how: a repetition may differ there. `git` is that of `spec_folder`.
    """
    commit = commit_of(spec_folder) if spec_folder is not None else None
    record = {
        "python": platform.python_version(),
        "platform": {
            "system": platform.system(),
            "machine": platform.machine(),
            "libc": "-".join(platform.libc_ver()),
        },
        "packages": dict(sorted(versions.items())),
        "seed": seed,
        "plan": plan_digest,
        "sources": dict(sorted(sources.items())),
        "code": dict(sorted((code or {}).items())),
        "lineage": [dict(one) for one in lineage],
        "git": asdict(commit) if commit else None,
        "made": {
            "host": socket.gethostname(),
            "system": platform.platform(),
            "argv": list(argv),
            "folder": str(spec_folder.resolve()) if spec_folder is not None else None,
        },
    }
    write_atomically(folder / LOCK_FILE, json.dumps(record, indent=2) + "\n")


def read_lock_file(folder: Path) -> dict[str, Any]:
    """What `write_lock_file` recorded; `OSError` or `ValueError` where that cannot be read."""
    record = json.loads((folder / LOCK_FILE).read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise ValueError(f"{folder / LOCK_FILE} is not a record of a run")
    return record


def write_summary(folder: Path, mapping: Mapping[str, Any]) -> None:
    """Write the final numbers; those that are not finite become null, and `not_finite` lists where."""
    lost: list[str] = []
    body = _finite(mapping, "", lost)
    record = {**body, "not_finite": lost}
    write_atomically(folder / SUMMARY, json.dumps(record, indent=2, allow_nan=False) + "\n")


def _finite(value: Any, place: str, lost: list[str]) -> Any:  # noqa: ANN401 - plain JSON data
    if isinstance(value, float) and not math.isfinite(value):
        lost.append(place)
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item, f"{place}.{key}" if place else str(key), lost) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item, f"{place}[{index}]", lost) for index, item in enumerate(value)]
    return value
