"""The catalog's files: which library has which, and where the right version of each lies.

A library's entries are shipped for one version. For another one, `runexp.runtime.catalog.generate` writes the
same files to the cache; until it has, the shipped ones are used.
"""

from __future__ import annotations

import json
import os
from functools import cache

from runexp.catalog.versions import installed_version
from runexp.records import dataclass


@dataclass(frozen=True, slots=True)
class Library:
    """A library the catalog describes; `package` is its import name and the folder of its files.

    What is runexp's own has the one version that it is shipped with.
    """

    package: str
    distribution: str
    kinds: tuple[str, ...]
    is_own: bool = False


LIBRARIES = (
    Library("torch", "torch", ("module", "loss", "optimizer", "schedule")),
    Library("sklearn", "scikit-learn", ("estimator", "transform", "metric", "splitter", "dataset")),
    Library("torchmetrics", "torchmetrics", ("metric",)),
    Library("runexp", "runexp", ("module", "callback"), is_own=True),
)


@cache
def catalog_text(library: Library, kind: str) -> str:
    """The file of a library's entries of one kind, as text; an empty object when there is none."""
    found = (_whole_text(os.path.join(folder, f"{kind}.json")) for folder in _folders(library))
    return next((text for text in found if text), "{}")


def _whole_text(path: str) -> str:
    """The file's text, or nothing where it is missing or damaged."""
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except (OSError, UnicodeDecodeError):
        return ""
    return text if text.endswith("}\n") else ""


def cache_folder(library: Library, version: str) -> str:
    """Where the files for a version that is not the shipped one are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "runexp", "catalog", f"{library.package}-{version}")


@cache
def shipped_versions() -> dict[str, str]:
    """The version of each library that the shipped files describe."""
    with open(os.path.join(SHIPPED, "versions.json"), encoding="utf-8") as stream:
        versions: dict[str, str] = json.load(stream)
    return versions


def _folders(library: Library) -> tuple[str, ...]:
    shipped = os.path.join(SHIPPED, library.package)
    if library.is_own:
        return (shipped,)
    version = installed_version(library.distribution)
    if version is None or version == shipped_versions().get(library.package):
        return (shipped,)
    return (cache_folder(library, version), shipped)


SHIPPED = os.path.join(os.path.dirname(__file__), "shipped")
