"""The processes that a process has started."""

from __future__ import annotations

from pathlib import Path


def children_of(pid):
    """The processes that another started: the fourth field of `stat` is the parent."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found += [int(stat.parent.name)] if int(fields[1]) == pid else []
    return found
