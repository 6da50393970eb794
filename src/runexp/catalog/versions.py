"""Which version of a library is installed, without importing it, or `importlib.metadata` (50 ms)."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import cache


@cache
def installed_version(distribution: str) -> str | None:
    """The version by the name of the distribution's metadata folder, without a local part such as `+cpu`."""
    normal = re.sub(r"[-_.]+", "_", distribution).lower()
    for folder in metadata_folders():
        name, _, version = os.path.basename(folder).removesuffix(".dist-info").partition("-")
        if re.sub(r"[-_.]+", "_", name).lower() == normal:
            return version.partition("+")[0]
    return None


def metadata_folders() -> Iterator[str]:
    """The `.dist-info` folders of what is installed, in the order of `sys.path`."""
    for place in sys.path:
        for name in _listed(place or "."):
            if name.endswith(".dist-info"):
                yield os.path.join(place, name)


def _listed(place: str) -> list[str]:
    try:
        return sorted(os.listdir(place))
    except OSError:
        return []
