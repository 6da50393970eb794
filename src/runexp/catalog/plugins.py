"""What installed packages register under runexp's entry-point groups, read without importing them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from functools import cache

from runexp.catalog.entry import Entry
from runexp.catalog.source_reader import read_signature
from runexp.catalog.versions import metadata_folders

# Kind of an entry → the group it is registered under.
PLUGIN_KINDS = {
    "module": "runexp.nodes",
    "loss": "runexp.losses",
    "metric": "runexp.metrics",
    "sampler": "runexp.samplers",
    "splitter": "runexp.splitters",
    "transform": "runexp.transforms",
    "dataset": "runexp.sources",
    "callback": "runexp.callbacks",
    "merge": "runexp.merges",
    "tracker": "runexp.trackers",
}


def plugin_names(kind: str) -> tuple[str, ...]:
    """Names registered for the kind."""
    return tuple(_registered().get(PLUGIN_KINDS[kind], {}))


def plugin_entry(name: str, kind: str) -> Entry | None:
    """The entry of a registered name; one whose source cannot be read takes any argument."""
    target = _registered().get(PLUGIN_KINDS.get(kind, ""), {}).get(name)
    if target is None:
        return None
    found = read_signature(target, ())
    if not isinstance(found, Entry):
        found = Entry(name, target, kind, accepts_any=True)
    return dataclasses.replace(found, name=name, kind=kind, short=(name,), traits={"plugin": True})


@cache
def _registered() -> dict[str, dict[str, str]]:
    """Group → name → target; where two packages register a name, the first on `sys.path` has it."""
    groups: dict[str, dict[str, str]] = {}
    for folder in metadata_folders():
        for group, name, target in _entry_points(folder):
            groups.setdefault(group, {}).setdefault(name, target)
    return groups


def _entry_points(folder: str) -> Iterator[tuple[str, str, str]]:
    group = ""
    for line in _lines(os.path.join(folder, "entry_points.txt")):
        if line.startswith("["):
            group = line.strip("[]").strip()
        elif group in PLUGIN_KINDS.values() and "=" in line:
            name, _, target = line.partition("=")
            yield group, name.strip(), target.partition("[")[0].strip()


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as stream:
            lines = (line.strip() for line in stream)
            return [line for line in lines if line and not line.startswith(("#", ";"))]
    except (OSError, UnicodeDecodeError):
        return []
