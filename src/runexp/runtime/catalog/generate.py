"""Write the catalog's files from the libraries that are installed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

from runexp.catalog.entry import Entry
from runexp.catalog.entry_json import dump_entries
from runexp.catalog.libraries import LIBRARIES, SHIPPED, Library, cache_folder, shipped_versions
from runexp.catalog.versions import installed_version


def generate(*, replace_shipped: bool = False) -> tuple[Path, ...]:
    """Describe every installed library; return the folders written.

    A library whose installed version is the shipped one is left alone; others go to the cache. With
    `replace_shipped` all are written into the package, for a release of runexp.
    """
    written: list[Path] = []
    versions = dict(shipped_versions())
    for library in LIBRARIES:
        if library.is_own:
            written += _written_own(library) if replace_shipped else ()
            continue
        version = installed_version(library.distribution)
        if version is None or (version == versions.get(library.package) and not replace_shipped):
            continue
        versions[library.package] = version
        folder = Path(SHIPPED, library.package) if replace_shipped else Path(cache_folder(library, version))
        _write_folder(folder, catalog_files(library))
        written.append(folder)
    if replace_shipped:
        Path(SHIPPED, "versions.json").write_text(json.dumps(versions, indent=2, sort_keys=True) + "\n", "utf-8")
    return tuple(written)


def _written_own(library: Library) -> tuple[Path, ...]:
    folder = Path(SHIPPED, library.package)
    _write_folder(folder, catalog_files(library))
    return (folder,)


def catalog_files(library: Library) -> dict[str, str]:
    """The text of each of a library's files, by kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated classes warn when they are looked at
        entries = tuple(_describer(library)())
    return {kind: dump_entries(_of_kind(entries, kind)) for kind in library.kinds}


def _of_kind(entries: Iterable[Entry], kind: str) -> Iterable[Entry]:
    return (entry for entry in entries if entry.kind == kind)


def _describer(library: Library) -> Callable[[], Iterable[Entry]]:
    """The function that describes a library; its module imports the library, so it is imported on use."""
    module = import_module(f"runexp.runtime.catalog.{library.package}_entries")
    describe: Callable[[], Iterable[Entry]] = getattr(module, f"{library.package}_entries")
    return describe


def _write_folder(folder: Path, texts: dict[str, str]) -> None:
    """Write aside and rename, so that a reader finds a whole folder or none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for kind, text in texts.items():
            (aside / f"{kind}.json").write_text(text, "utf-8")
        aside.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
