"""Is this machine fit to run experiments: Python, libraries, devices, the folder of runs, the catalog."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from runexp.catalog.libraries import LIBRARIES, Library, cache_folder, shipped_versions
from runexp.catalog.versions import installed_version
from runexp.report.doctor import Finding, State
from runexp.runtime.environment import loaded, torch_facts
from runexp.version import __version__

PYTHON = ((3, 11), (3, 14))
"""The first version that will do and the first that will not."""

# Distribution → its import name and the least version, as pyproject.toml has them.
REQUIRED = {
    "numpy": ("numpy", "2.0"),
    "pyarrow": ("pyarrow", "18"),
    "pydantic": ("pydantic", "2.11"),
    "rich": ("rich", "13"),
    "ruamel.yaml": ("ruamel.yaml", "0.18"),
    "safetensors": ("safetensors", "0.5"),
    "scikit-learn": ("sklearn", "1.6"),
    "skops": ("skops", "0.12"),
    "torch": ("torch", "2.9"),
    "typer": ("typer", "0.16"),
}
# Distribution → what it adds.
OPTIONAL = {
    "optuna": "sweeps",
    "torchmetrics": "metrics by the names of torchmetrics",
    "distributed": "folds and trials on a cluster of Dask",
    "ray": "folds and trials on a cluster of Ray",
}

_LITTLE_SPACE = 2**30  # bytes


def examine(runs: Path) -> tuple[Finding, ...]:
    """Look at everything; imports the libraries, writes nothing, raises for nothing that is missing."""
    return (*_programs(), *_libraries(), *_optional(), *_devices(), *_runs_folder(runs), *_catalog())


def _programs() -> Iterator[Finding]:
    low, high = PYTHON
    fits = low <= sys.version_info[:2] < high
    text = f"{platform.python_version()} at {sys.executable}"
    hint = "" if fits else f"runexp needs Python {low[0]}.{low[1]} to {high[0]}.{high[1] - 1}"
    yield Finding("programs", "Python", "ok" if fits else "missing", text, hint)
    yield Finding("programs", "runexp", "ok", f"{__version__} at {Path(__file__).parent.parent}")
    yield Finding("programs", "system", "ok", f"{platform.platform()}")


def _libraries() -> Iterator[Finding]:
    for distribution, (module, least) in REQUIRED.items():
        version, trouble = installed_version(distribution), loaded(module)
        if version is None and trouble:
            yield Finding(
                "libraries", distribution, "missing", "not installed", f"pip install '{distribution}>={least}'"
            )
        elif trouble:
            hint = f"it is installed and does not load; pip install --force-reinstall {distribution}"
            yield Finding("libraries", distribution, "missing", f"{version}: {trouble}", hint)
        elif version is not None and _numbers(version) < _numbers(least):
            hint = f"pip install '{distribution}>={least}'"
            yield Finding("libraries", distribution, "missing", f"{version}, older than {least}", hint)
        else:
            yield Finding("libraries", distribution, "ok", version or "version unknown")


def _optional() -> Iterator[Finding]:
    for distribution, gives in OPTIONAL.items():
        version = installed_version(distribution)
        if version is None:
            yield Finding("optional", distribution, "note", f"not installed: {gives}", f"pip install {distribution}")
        else:
            yield Finding("optional", distribution, "ok", f"{version}: {gives}")


def _devices() -> Iterator[Finding]:
    facts = torch_facts()
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = f", {facts.n_threads} for torch" if facts else ""
    yield Finding("devices", "cpu", "ok", f"{n_cores} cores{threads}, {_memory()} memory")
    if facts is None:
        return
    yield Finding("devices", "build of torch", "ok", facts.build)
    for device in facts.devices:
        memory = f", {_size(device.n_bytes)} memory" if device.n_bytes else ""
        yield Finding("devices", device.name, "ok", f"{device.description}{memory}")
    if not facts.devices and facts.build != "cpu":
        hint = "the driver may be missing or too old: runs will use the CPU"
        yield Finding("devices", "gpu", "note", f"torch is built for {facts.build} and sees none", hint)


def _runs_folder(runs: Path) -> Iterator[Finding]:
    there = next((place for place in (runs.absolute(), *runs.absolute().parents) if place.exists()), Path("/"))
    is_writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    text = str(runs) if there == runs.absolute() else f"{runs}, to be made in {there}"
    hint = "" if is_writable else "name another folder with --runs, or with RUNEXP_RUNS"
    what = "writable" if is_writable else "not writable"
    yield Finding("runs", "folder", "ok" if is_writable else "missing", f"{text}: {what}", hint)
    try:
        free = shutil.disk_usage(there).free
    except OSError:
        return
    state: State = "ok" if free > _LITTLE_SPACE else "note"
    yield Finding("runs", "disk", state, f"{_size(free)} free", "" if state == "ok" else "checkpoints may not fit")


def _catalog() -> Iterator[Finding]:
    for library in (one for one in LIBRARIES if not one.is_own):
        yield _catalog_of(library, installed_version(library.distribution), shipped_versions().get(library.package, ""))


def _catalog_of(library: Library, version: str | None, shipped: str) -> Finding:
    name = library.distribution
    if version is None or version == shipped:
        return Finding("catalog", name, "ok", f"describes {shipped}, as shipped")
    if os.path.isdir(cache_folder(library, version)):
        return Finding("catalog", name, "ok", f"describes {version}, from {cache_folder(library, version)}")
    refresh = "python -c 'from runexp.runtime.catalog.generate import generate; generate()'"
    text = f"describes {shipped} while {version} is installed: checks may miss what has changed"
    return Finding("catalog", name, "note", text, f"to describe what is installed: {refresh}")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _memory() -> str:
    try:
        return _size(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # not every system tells
        return "unknown"


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:.1f} GiB"
